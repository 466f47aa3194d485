"""Products of pairs' nodes, and what flows back: as PyTorch's own indexing has them."""

import pytest
import torch

from assay.interactions import pair_products as blocked
from assay.interactions.pair_products import pair_products

NODES, WIDTH, PAIRS = 7, 5, 50


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    monkeypatch.setattr(blocked, "_PAIRS", 16)


def given(dtype):
    torch.manual_seed(0)
    h = torch.randn(NODES, WIDTH, dtype=dtype, requires_grad=True)
    return h, torch.randint(NODES, (PAIRS, 2))


def test_products_and_gradients_are_those_of_indexing():
    h, pairs = given(torch.float32)
    weights = torch.randn(PAIRS, WIDTH)

    found = pair_products(h, pairs)
    (gradient,) = torch.autograd.grad((found * weights).sum(), h)

    expected = h[pairs[:, 0]] * h[pairs[:, 1]]
    (reference,) = torch.autograd.grad((expected * weights).sum(), h)
    assert torch.equal(found, expected)
    assert torch.allclose(gradient, reference, rtol=1e-5, atol=1e-6)


def test_a_node_paired_with_itself_gets_both_halves():
    h = torch.tensor([[3.0], [2.0]], requires_grad=True)

    pair_products(h, torch.tensor([[0, 0], [0, 1]])).sum().backward()

    assert h.grad.tolist() == [[2 * 3.0 + 2.0], [3.0]]


def test_under_autocast_products_are_lower_and_sums_of_gradients_are_not():
    h, pairs = given(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = pair_products(h, pairs)
    found.backward(torch.ones_like(found))

    low = h.detach().bfloat16()
    expected = torch.zeros(NODES, WIDTH)
    for here, other in ((0, 1), (1, 0)):
        expected.index_add_(0, pairs[:, here], low.float()[pairs[:, other]])
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, low[pairs[:, 0]] * low[pairs[:, 1]])
    assert torch.allclose(h.grad, expected, rtol=1e-6)


def test_no_pairs_have_no_products():
    h, _ = given(torch.float32)

    found = pair_products(h, torch.zeros(0, 2, dtype=torch.int64))
    found.sum().backward()

    assert found.shape == (0, WIDTH)
    assert torch.equal(h.grad, torch.zeros_like(h))
