"""Our Muon is PyTorch's, but for the rounding of bfloat16."""

import pytest
import torch
from torch import nn

from assay.training.muon import Muon, orthogonal

SHAPES = [(24, 24), (16, 40), (40, 16)]


def drawn(shape, seed=0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_steps_are_those_of_pytorchs_own(shape):
    ours, theirs = (nn.Parameter(drawn(shape)) for _ in range(2))
    options = {"lr": 0.1, "weight_decay": 0.2}
    one = Muon([ours], **options)
    two = torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **options)
    for step in range(1, 4):
        for parameter, optimizer in ((ours, one), (theirs, two)):
            parameter.grad = drawn(shape, step)
            optimizer.step()

    moved, off = theirs.detach() - drawn(shape), (ours - theirs).detach()
    assert float(off.norm() / moved.norm()) < 0.01
    kept = [each.state[p]["momentum_buffer"] for each, p in ((one, ours), (two, theirs))]
    assert torch.equal(*kept)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_directions_are_kept_and_singular_values_are_about_one(shape):
    matrix = drawn(shape)
    made = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inner = left.mT @ made @ right.mT
    values = inner.diagonal()

    assert made.shape == matrix.shape
    assert float(values.min()) > 0.6
    assert float(values.max()) < 1.25
    assert float((inner - values.diag()).abs().max()) < 1e-4  # bfloat16 has 1e-2


def test_nothing_is_as_coarse_as_bfloat16():
    made = orthogonal(drawn((32, 48)))

    assert made.dtype == torch.float32
    assert float((made - made.bfloat16()).abs().max()) > 1e-4


def test_what_has_no_gradient_stays_and_zeros_do_no_harm():
    still, zero = nn.Parameter(drawn((16, 16))), nn.Parameter(drawn((16, 16)))
    zero.grad = torch.zeros(16, 16)
    Muon([still, zero], lr=0.1, weight_decay=0.5).step()

    assert torch.equal(still, drawn((16, 16)))
    assert torch.allclose(zero, 0.95 * drawn((16, 16)))
