"""Every method on two losses whose weights can be worked out by hand."""

import math

import pytest
import torch
from torch import nn

from tests.training.balancing.test_balance import balance

GRADIENTS = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([-1.0, 1.0])}


def course(made, *steps):
    """Return the weights (a, b) of each step, whose losses have these values."""
    theta, found = nn.Parameter(torch.zeros(2)), []
    for step, values in enumerate(steps):
        losses = {
            name: value + (theta * GRADIENTS[name]).sum()
            for name, value in zip("ab", values, strict=True)
        }
        _, weights = made(losses, [theta], step)
        found.append([float(weights.get(name, 0.0)) for name in "ab"])
    return found


def test_fixed_equal_and_single():
    weights = {"a": 2.0, "b": 0.5}

    assert course(balance("fixed", weights), (1, 1)) == [[2.0, 0.5]]
    assert course(balance("equal", weights), (1, 1)) == [[1.0, 1.0]]
    assert course(balance("single", weights, loss="b"), (1, 1)) == [[0.0, 1.0]]


def test_a_single_loss_alone_moves_the_shared_parameters():
    theta = nn.Parameter(torch.zeros(2))
    losses = {name: 5 + (theta * gradient).sum() for name, gradient in GRADIENTS.items()}

    balance("single", {"a": 1.0, "b": 1.0}, loss="b")(losses, [theta], 0)[0].backward()

    assert theta.grad is not None
    assert theta.grad.tolist() == [-1.0, 1.0]


def test_random_weights_follow_from_seed_and_step_alone():
    weights = {"a": 1.0, "b": 1.0}
    one, again = (course(balance("random", weights, seed=3), *[(1, 1)] * 400) for _ in range(2))
    other = course(balance("random", weights, seed=4), *[(1, 1)] * 2)

    assert one == again
    assert one[0] != one[1]
    assert one[0] != other[0]
    # A softmax of two normals: half of K each in the mean; its standard deviation is 0.41.
    assert sum(a for a, _ in one) / 400 == pytest.approx(1.0, abs=3 * 0.41 / 20)


def test_a_curriculum_is_a_straight_line_between_its_steps():
    ramps = {"b": {"begin": 1, "end": 5, "start": 0.5, "stop": 2.5}}

    found = course(balance("curriculum", {"a": 3.0, "b": 2.0}, ramps=ramps), *[(1, 1)] * 7)

    assert [a for a, _ in found] == [3.0] * 7
    assert [b for _, b in found] == [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0]


def test_initial_scale_is_that_of_the_first_step_and_no_unit_is_below_the_floor():
    made = balance("initial_scale", {"a": 2.0, "b": 3.0}, floor=0.1)

    assert course(made, (4, 0.01), (7, 7), (9, 9)) == [[2, 3], [0.25, 10], [0.25, 10]]


def test_the_best_precision_of_a_constant_loss_is_its_inverse():
    made = balance("uncertainty", {"a": 1.0, "b": 1.0})
    losses, optimizer = (
        {"a": torch.tensor(2.0), "b": torch.tensor(0.5)},
        torch.optim.SGD(made.parameters(), lr=0.5),
    )
    first, _ = made(losses, [], 0)
    assert first.item() == 2.5
    for step in range(60):
        optimizer.zero_grad()
        total, _ = made(losses, [], step)
        total.backward()
        if step == 0:
            assert made.log_variances_K.grad.tolist() == [1 - 2.0, 1 - 0.5]
        optimizer.step()

    _, weights = made(losses, [], 60)
    assert [float(w) for w in weights.values()] == pytest.approx([0.5, 2.0], rel=1e-3)


def test_dwa_weighs_by_how_the_last_window_fell_against_the_one_before():
    made = balance("dwa", {"a": 1.0, "b": 1.0}, window=2, temperature=0.5)

    found = course(made, (1, 3), (3, 5), (2, 1), (2, 3), (9, 9), (9, 9))

    # Windows: (2, 4), then (2, 2): rates 1 and 1/2, over T 2 and 1.
    share = math.exp(2) / (math.exp(2) + math.exp(1))
    assert found[:4] == [[1.0, 1.0]] * 4
    for later in found[4:]:
        assert later == pytest.approx([2 * share, 2 - 2 * share])


def test_a_part_that_stagnates_is_raised_until_the_most():
    rule = {"smoothing": 0.0, "patience": 2, "threshold": 0.0, "factor": 2.0, "most": 3.0}
    made = balance("plateau", {"a": 1.0, "b": 1.0}, **rule)

    found = course(made, *[(10 - step, 1) for step in range(9)])

    # Factors of b: 1, then 2 once two steps brought nothing, then 3, the most.
    assert found[:3] == [[1.0, 1.0]] * 3
    assert found[3:5] == [pytest.approx([2 / 3, 4 / 3])] * 2
    assert found[5:] == [pytest.approx([0.5, 1.5])] * 4


@pytest.mark.parametrize("values", [(1, 1), (1, 0)])
def test_where_all_stagnate_or_nothing_is_to_be_gained_weights_stay(values):
    rule = {"smoothing": 0.5, "patience": 1, "threshold": 0.1}
    given = {"a": 1.0, "b": 1.0}

    found = course(balance("plateau", given, **rule), *[values] * 6)

    if values[1]:
        assert found[-1] == pytest.approx([1.0, 1.0])
    else:
        assert found[-1][1] < 1.0 < found[-1][0]


def test_noise_is_smoothed_before_stagnation_is_judged():
    rule = {"smoothing": 0.9, "patience": 4, "threshold": 0.0}
    noisy = [(10 - step + (-1) ** step * 0.6, 10 - step) for step in range(10)]

    assert course(balance("plateau", {"a": 1.0, "b": 1.0}, **rule), *noisy) == [[1.0, 1.0]] * 10


def test_gradient_surgery_of_two_gradients_in_conflict():
    theta = nn.Parameter(torch.zeros(2))
    losses = {name: 5 + (theta * gradient).sum() for name, gradient in GRADIENTS.items()}

    total, weights = balance("pcgrad", {"a": 1.0, "b": 1.0})(losses, [theta], 0)
    total.backward()

    # a' = a + b / 2 and b' = b + a, as a·b = -1, |a|² = 1, |b|² = 2.
    assert {name: float(w) for name, w in weights.items()} == {"a": 2.0, "b": 1.5}
    assert theta.grad is not None
    assert theta.grad.tolist() == [0.5, 1.5]


def test_gradients_that_agree_are_left_as_they_are():
    theta = nn.Parameter(torch.zeros(2))
    losses = {"a": (theta * torch.tensor([1.0, 1.0])).sum(), "b": theta[0] * 3}

    _, weights = balance("pcgrad", {"a": 1.0, "b": 1.0})(losses, [theta], 0)

    assert [float(weight) for weight in weights.values()] == [1.0, 1.0]


def test_losses_that_the_shared_parameters_do_not_reach_conflict_with_nothing():
    theta, head = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.ones(1))
    losses = {"a": (theta * GRADIENTS["a"]).sum(), "b": head.sum(), "c": torch.tensor(0.0)}
    made = balance("pcgrad", dict.fromkeys("abc", 1.0))

    assert [float(w) for w in made(losses, [theta], 0)[1].values()] == [1.0, 1.0, 1.0]


def test_surgery_takes_its_sums_in_full_precision_under_bf16():
    theta = nn.Parameter(torch.zeros(2))
    gradients = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([-1.0 / 3, 1.0])}

    with torch.autocast("cpu", torch.bfloat16):
        losses = {name: (theta * gradient).sum() for name, gradient in gradients.items()}
        _, weights = balance("pcgrad", {"a": 1.0, "b": 1.0})(losses, [theta], 0)

    # a·b = -1/3, |a|² = 1, |b|² = 10/9.
    assert [float(w) for w in weights.values()] == pytest.approx([4 / 3, 1.3], rel=1e-6)


def test_surgery_needs_something_that_learns_and_is_shared():
    from assay.errors import ConfigError

    theta = nn.Parameter(torch.zeros(2), requires_grad=False)
    with pytest.raises(ConfigError, match="no shared parameter learns"):
        balance("pcgrad", {"a": 1.0})({"a": torch.tensor(1.0)}, [theta], 0)


def test_famo_weighs_by_inverse_losses_and_follows_what_fell_least():
    found = course(balance("famo", {"a": 1.0, "b": 1.0}), (1, 4), (0.5, 4))

    assert found[0] == pytest.approx([1.6, 0.4])
    # Adam's first step is the rate itself: a fell, so its logit goes down by 0.025, b's up.
    ratio = 8 * math.exp(-0.05)
    assert found[1] == pytest.approx([2 * ratio / (1 + ratio), 2 / (1 + ratio)], rel=1e-5)
