import pytest
import torch

from assay.interactions.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_so_many_are_dropped_and_the_mean_stays(share):
    torch.manual_seed(0)
    x = torch.ones(1000, 301)

    thinned = Dropout(share)(x)

    assert float((thinned == 0).float().mean()) == pytest.approx(share, abs=0.003)
    assert thinned.unique().tolist() == pytest.approx([0, 1 / (1 - share)])


def test_entries_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(400_001)) > 0

    for distance in (1, 2, 3, 4, 8):
        both = (kept[distance:] & kept[:-distance]).float().mean()
        assert float(both) == pytest.approx(0.25, abs=0.005), distance


def test_the_seed_decides():
    drop, x = Dropout(0.5), torch.ones(1000)
    torch.manual_seed(3)
    first = drop(x)
    other = drop(x)
    torch.manual_seed(3)

    assert torch.equal(drop(x), first)
    assert not torch.equal(first, other)


def test_nothing_is_dropped_outside_training_or_at_no_share():
    x = torch.randn(9)

    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_the_gradient_goes_where_the_value_went():
    x = torch.ones(1000, requires_grad=True)

    thinned = Dropout(0.4)(x)
    thinned.sum().backward()

    assert torch.equal(x.grad, thinned.detach())
