"""What holds of every method: one loss is itself, evaluation moves nothing, faults are said."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from assay.config import Settings, validate
from assay.errors import ConfigError, TrainingError
from assay.training.balancing.catalog import Balancing, balance_of

OTHERS = {
    "single": {"loss": "a"},
    "curriculum": {"ramps": {"a": {"begin": 0, "end": 1, "start": 2}}},
}
METHODS = (
    "fixed", "equal", "single", "random", "curriculum", "initial_scale", "uncertainty", "dwa",
    "plateau", "famo", "pcgrad",
)  # fmt: skip
SCALE_FREE = [m for m in METHODS if m not in ("initial_scale", "curriculum")]
POSITIVE = st.floats(0.01, 100)


def balance(method, weights, seed=0, **given):
    chosen = {"method": method, **OTHERS.get(method, {}), **given}
    return balance_of(TypeAdapter(Balancing).validate_python(chosen), weights, seed)


def linear(theta, values):
    """Losses with these values, and gradients that a shared parameter sees."""
    return {name: value + (theta - theta.detach()).sum() for name, value in values.items()}


def test_every_method_is_in_the_catalog():
    kinds = Balancing.__args__[0].__args__
    assert sorted(METHODS) == sorted(kind.model_fields["method"].default for kind in kinds)


@settings(max_examples=10, deadline=None)
@given(values=st.lists(POSITIVE, min_size=3, max_size=6))
@pytest.mark.parametrize("method", SCALE_FREE)
def test_the_balance_of_one_loss_is_that_loss(method, values):
    made, theta = balance(method, {"a": 1.0}), torch.nn.Parameter(torch.zeros(2))

    for step, value in enumerate(values):
        total, weights = made(linear(theta, {"a": value}), [theta], step)
        assert total.item() == pytest.approx(value, rel=1e-5)
        assert weights.keys() == {"a"}


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE), min_size=3, max_size=6))
@pytest.mark.parametrize("method", ["random", "dwa", "famo", "plateau"])
def test_shares_are_not_negative_and_one_in_the_mean(method, values):
    given_ = {"window": 1} if method == "dwa" else {}
    made, theta = (
        balance(method, dict.fromkeys("abc", 1.0), **given_),
        torch.nn.Parameter(torch.zeros(2)),
    )

    for step, each in enumerate(values):
        _, weights = made(linear(theta, dict(zip("abc", each, strict=True))), [theta], step)
        assert min(weights.values()) >= 0
        assert float(sum(weights.values())) == pytest.approx(3, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_evaluation_has_the_given_weights_and_moves_nothing(method):
    made, theta = balance(method, {"a": 2.0, "b": 0.5}), torch.nn.Parameter(torch.zeros(2))
    for step in range(4):
        made(linear(theta, {"a": 3.0 - step / 2, "b": 1.0}), [theta], step)
    before = copy.deepcopy(made.state_dict())

    total, weights = made({"a": torch.tensor(-3.0), "b": torch.tensor(4.0)}, [], None)

    assert total.item() == -4.0
    assert {name: float(weight) for name, weight in weights.items()} == {"a": 2.0, "b": 0.5}
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_a_state_that_is_put_back_goes_on_as_the_one_it_was_taken_from(method):
    theta, weights = torch.nn.Parameter(torch.zeros(2)), {"a": 2.0, "b": 0.5}
    made, other = balance(method, weights), balance(method, weights)
    course = [{"a": 3.0 / (1 + step), "b": 1.0 + step % 2} for step in range(8)]
    for step in range(4):
        made(linear(theta, course[step]), [theta], step)

    other.load_state_dict(made.state_dict())

    for step in range(4, 8):
        one, two = (each(linear(theta, course[step]), [theta], step)[0] for each in (made, other))
        assert torch.equal(one, two)


@pytest.mark.parametrize("method", ["fixed", "equal", "random", "famo"])
def test_a_loss_of_weight_0_is_left_out(method):
    theta = torch.nn.Parameter(torch.zeros(2))

    total, weights = balance(method, {"a": 1.0, "b": 0.0})(
        linear(theta, {"a": 3, "b": 7}), [theta], 0
    )

    assert total.item() == pytest.approx(3.0)
    assert float(weights["b"]) == 0.0


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ({"a": 1.0}, "loss 'b' has a weight, but is not computed"),
        (
            {"a": 1.0, "b": 1.0, "bb": 1.0},
            "loss 'bb' is computed, but has no weight; did you mean 'b'",
        ),
    ],
)
def test_losses_and_weights_are_of_the_same_names(losses, sentence):
    theta = torch.nn.Parameter(torch.zeros(2))
    with pytest.raises(ConfigError, match=sentence):
        balance("fixed", {"a": 1.0, "b": 1.0})(linear(theta, losses), [theta], 0)


def test_something_has_a_weight():
    with pytest.raises(ConfigError, match="every loss has weight 0"):
        balance("equal", {"a": 0.0})


@pytest.mark.parametrize("method", ["initial_scale", "uncertainty", "dwa", "famo"])
def test_a_negative_loss_is_refused_where_it_has_no_meaning(method):
    made, theta = balance(method, {"a": 1.0, "b": 1.0}), torch.nn.Parameter(torch.zeros(2))
    with pytest.raises(
        TrainingError, match=rf"balancing {method}: loss 'b' is -0\.5 at step 7, and"
    ):
        made(linear(theta, {"a": 1.0, "b": -0.5}), [theta], 7)


class Holder(Settings):
    balancing: Balancing


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"method": "dwb"}, "balancing: .*'dwb'.* expected tags"),
        ({"method": "dwa", "windw": 3}, r"unknown key 'balancing\.dwa\.windw'"),
        ({"method": "single"}, "'balancing.single.loss' is required"),
        ({"method": "curriculum", "ramps": {"a": {"begin": 3, "end": 3}}}, "end comes after begin"),
        ({"method": "curriculum", "ramps": {"a": {"end": 3, "start": 1}}}, "changes nothing"),
    ],
)
def test_what_a_method_is_told_is_checked(given_, sentence):
    with pytest.raises(ConfigError, match=sentence):
        validate(Holder, {"balancing": given_}, "settings")


@pytest.mark.parametrize(
    ("method", "given_", "sentence"),
    [
        ("single", {"loss": "c"}, "balancing single: there is no loss 'c'; known: a, b"),
        ("single", {"loss": "b"}, "balancing single: loss 'b' has weight 0"),
        ("curriculum", {"ramps": {"c": {"end": 3}}}, "balancing curriculum: there is no loss 'c'"),
    ],
)
def test_a_loss_that_is_named_takes_part(method, given_, sentence):
    with pytest.raises(ConfigError, match=sentence):
        balance(method, {"a": 1.0, "b": 0.0}, **given_)
