import itertools

import pytest
import torch

from assay.pathways.baselines.noise import Schedule, chosen, earlier, noisy, of_pairs
from assay.training.draws import Draws

MARGINAL = torch.tensor([0.6, 0.3, 0.1])
UNIT = (torch.arange(4000) + 0.5) / 4000


def test_noise_begins_with_nothing_lost_and_ends_with_everything():
    kept = Schedule(50).kept(torch.arange(51))

    assert kept[0] == pytest.approx(1.0)
    assert kept[-1] == pytest.approx(0.0, abs=1e-6)
    assert (kept.diff() < 0).all()


def test_the_time_of_a_share_is_the_nearest_one_after_the_beginning():
    schedule = Schedule(10)

    assert schedule.time_of(float(schedule.kept(torch.tensor(4)))) == 4
    assert schedule.time_of(1.0) == 1


def test_values_are_chosen_by_their_weights():
    for weights in (MARGINAL * 7, MARGINAL.expand(4000, 3)):
        shares = torch.bincount(chosen(weights, UNIT), minlength=3) / 4000
        torch.testing.assert_close(shares, MARGINAL, rtol=0, atol=1e-3)


def test_noisy_values_are_kept_or_drawn_anew():
    x, fresh = torch.tensor([1, 1, 1]), torch.tensor([2, 0, 2])
    found = noisy(x, fresh, torch.tensor([0.2, 0.8, 0.4]), torch.tensor(0.5))

    assert found.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("x", "clean"), list(itertools.product(range(3), range(3))))
def test_what_was_a_step_earlier_is_drawn_by_bayes(x, clean):
    before, now = 0.7, 0.4
    alpha, eye = now / before, torch.eye(3)
    step = alpha * eye[x] + (1 - alpha) * MARGINAL[x]  # q(x_t = x | x_{t-1} = k)
    start = before * eye[clean] + (1 - before) * MARGINAL  # q(x_{t-1} = k | x_0)
    expected = step * start / (step * start).sum()

    shares = torch.zeros(3)
    for fresh, weight in enumerate(MARGINAL):
        each = [torch.full((4000,), value) for value in (x, clean, fresh)]
        drawn = earlier(*each, UNIT, MARGINAL[x].expand(4000), (before, now))
        shares += weight * torch.bincount(drawn, minlength=3) / 4000

    torch.testing.assert_close(shares, expected, rtol=0, atol=1e-3)


def test_a_pair_and_its_reverse_have_draws_of_their_own_whatever_the_padding():
    draws = Draws(1, 0, torch.arange(2))
    small, large = (of_pairs(draws, "pairs", N) for N in (4, 7))

    torch.testing.assert_close(large[:, :4, :4], small, rtol=0, atol=0)
    off = ~torch.eye(4, dtype=torch.bool)
    assert len(small[:, off].unique()) == 2 * 12
