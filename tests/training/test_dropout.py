import pytest
import torch

from assay.training.dropout import Dropout


def thinned(x, share=0.5, rows=None, name="a"):
    rows = torch.arange(len(x)) if rows is None else rows
    return Dropout(share, name)(x, rows)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_so_many_are_dropped_and_the_mean_stays(share):
    found = thinned(torch.ones(1000, 301), share)

    assert float((found == 0).float().mean()) == pytest.approx(share, abs=0.003)
    assert found.unique().tolist() == pytest.approx([0, 1 / (1 - share)])


def test_entries_are_dropped_independently_of_their_neighbours():
    kept = thinned(torch.ones(1000, 400)) > 0

    for distance in (1, 2, 3, 4, 8):
        along = (kept[:, distance:] & kept[:, :-distance]).float().mean()
        across = (kept[distance:] & kept[:-distance]).float().mean()
        assert float(along) == pytest.approx(0.25, abs=0.005), distance
        assert float(across) == pytest.approx(0.25, abs=0.005), distance


def test_seed_layer_and_row_decide_and_nothing_else():
    x = torch.ones(50, 30)
    torch.manual_seed(3)
    first = thinned(x)
    torch.randn(7)

    assert torch.equal(thinned(x), first)
    assert torch.equal(thinned(x[20:], rows=torch.arange(20, 50)), first[20:])
    assert not torch.equal(thinned(x, name="b"), first)
    torch.manual_seed(4)
    assert not torch.equal(thinned(x), first)


def test_nothing_is_dropped_outside_training_or_at_no_share():
    x = torch.randn(9, 3)

    assert torch.equal(Dropout(0.5, "a").eval()(x, torch.arange(9)), x)
    assert torch.equal(thinned(x, 0.0), x)


def test_the_gradient_goes_where_the_value_went():
    x = torch.ones(100, 10, requires_grad=True)

    found = thinned(x, 0.4)
    found.sum().backward()

    assert torch.equal(x.grad, found.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_relu_is_dropout_of_relu(dtype):
    dropout, rows = Dropout(0.5, "a"), torch.arange(3000)
    x = torch.randn(3000, 10).to(dtype).requires_grad_()
    weights = torch.randn(3000, 10).to(dtype)

    found = dropout.of_relu(x, rows)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)

    expected = dropout(x.relu(), rows)
    (reference,) = torch.autograd.grad((expected * weights).sum(), x)
    assert torch.equal(found, expected)
    assert torch.equal(gradient, reference)


def test_of_relu_is_relu_where_nothing_is_dropped():
    x = torch.randn(9, 3)

    assert torch.equal(Dropout(0.5, "a").eval().of_relu(x, torch.arange(9)), x.relu())
