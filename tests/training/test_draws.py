import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.training.draws import Draws, _to_unit, fold

IDS = torch.arange(64)


def test_draws_depend_on_seed_step_record_and_name_alone():
    base = Draws(1, 2, IDS).normal("x", 5)

    assert torch.equal(base, Draws(1, 2, IDS).normal("x", 5))
    for other in (
        Draws(2, 2, IDS).normal("x", 5),
        Draws(1, 3, IDS).normal("x", 5),
        Draws(1, 2, IDS + 64).normal("x", 5),
        Draws(1, 2, IDS).normal("y", 5),
    ):
        assert not torch.isclose(base, other).any(dim=1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 10**9), st.permutations(list(range(12))))
def test_order_and_company_of_records_change_nothing(seed, step, order):
    together = Draws(seed, step, IDS[:12]).uniform("u", 3)
    shuffled = Draws(seed, step, torch.tensor(order)).uniform("u", 3)
    alone = Draws(seed, step, torch.tensor(order[:1])).uniform("u", 3)

    assert torch.equal(shuffled, together[torch.tensor(order)])
    assert torch.equal(alone[0], together[order[0]])


def test_padding_the_leading_dimension_keeps_what_stands_before():
    draws = Draws(0, 0, IDS)

    assert torch.equal(draws.normal("x", 9, 3), draws.normal("x", 20, 3)[:, :9])


def test_uniform_is_uniform_and_normal_is_normal():
    draws = Draws(3, 0, torch.arange(2000))

    assert stats.kstest(draws.uniform("u", 50).flatten().numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(draws.normal("n", 50).flatten().numpy(), "norm").pvalue > 1e-3


def test_neighbouring_steps_and_records_are_uncorrelated():
    steps = torch.stack([Draws(0, s, IDS).normal("n", 32).flatten() for s in range(200)]).numpy()

    correlations = np.corrcoef(steps)[np.triu_indices(200, 1)]
    assert abs(correlations.mean()) < 1e-3
    assert abs(correlations.std() - 1 / np.sqrt(64 * 32)) < 2e-3


def test_uniform_never_touches_its_ends():
    u = Draws(0, 0, torch.arange(5000)).uniform("u", 200)

    assert u.min() > 0
    assert u.max() < 1


def test_the_outermost_bits_stay_inside():
    ends = _to_unit(torch.tensor([0, -1]))

    assert ends.tolist() == [2.0**-25, 1 - 2.0**-24]


def test_categorical_follows_its_probabilities():
    p = torch.tensor([0.1, 0.0, 0.6, 0.3])
    drawn = Draws(0, 0, torch.arange(4000)).categorical("c", p.expand(4000, 10, 4))

    shares = torch.bincount(drawn.flatten(), minlength=4) / drawn.numel()
    assert shares[1] == 0
    assert torch.allclose(shares, p, atol=0.01)


def test_rotations_are_proper_and_uniform():
    R = Draws(0, 0, torch.arange(4000)).rotation("r")

    eye = torch.eye(3).expand(4000, 3, 3)
    assert torch.allclose(R @ R.transpose(1, 2), eye, atol=1e-5)
    assert torch.allclose(torch.linalg.det(R), torch.ones(4000), atol=1e-5)
    # The angle of a uniform rotation has density (1 - cos θ)/π.
    angle = torch.arccos(((R.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1)).numpy()
    assert stats.kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-3


def test_a_coin_is_one_for_all_records_and_has_its_probability():
    falls = [Draws(0, step, IDS).coin("c", 0.3) for step in range(3000)]

    assert Draws(0, 7, IDS).coin("c", 0.3) == Draws(0, 7, IDS[:1]).coin("c", 0.3)
    assert abs(np.mean(falls) - 0.3) < 0.03


def test_fold_is_stable_across_processes():
    assert fold(0, "train", 1) == 5390658063009952786
    assert len({fold(0, "a"), fold(0, "b"), fold(1, "b")}) == 3
