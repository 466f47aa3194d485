from functools import cache

import pytest
import torch
from torch import nn

from assay.errors import ConfigError, MemoryShortageError
from assay.training.balancing.execution import require_balanced_alike
from assay.training.execution import Execution
from assay.training.parallel import ALONE, Workers
from tests.training.balancing.two_losses import SETTINGS, TwoLosses, TwoSettings, TwoTask, train
from tests.training.balancing.two_losses import train_together as target
from tests.training.group import together
from tests.training.toy import toy_cell

WHOLE_BATCHES = {"pcgrad", "famo"}
MOVING = [m for m in SETTINGS if m not in ("fixed", "equal", "single")]
"""Methods with a state, or whose weights follow from the step or from its records."""


def figures(rows):
    return [value for row in rows for name, value in sorted(row.items())]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """State and rows of one worker with whole batches, by method."""
    return cache(lambda method: train(tmp_path_factory.mktemp(method), method))


@pytest.mark.parametrize("method", MOVING)
def test_a_resumed_run_ends_bit_for_bit_as_one_that_never_stopped(tmp_path, undisturbed, method):
    whole, _ = undisturbed(method)

    train(tmp_path / "halves", method, until=0.35)
    resumed, _ = train(tmp_path / "halves", method)

    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name


@pytest.mark.parametrize("method", [m for m in MOVING if m not in WHOLE_BATCHES])
def test_micro_batches_of_unlike_size_have_the_weights_of_the_whole(tmp_path, undisturbed, method):
    _, whole = undisturbed(method)
    _, thirds = train(tmp_path / "thirds", method, Execution(accumulation=3))

    assert figures(thirds) == pytest.approx(figures(whole), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("sharding", "methods"),
    [
        ("ddp", MOVING),
        pytest.param("fsdp2", [m for m in MOVING if m != "pcgrad"], marks=pytest.mark.slow),
    ],
    ids=["ddp", "fsdp2"],
)
def test_two_workers_have_the_weights_of_one(tmp_path, undisturbed, sharding, methods):
    alone = [undisturbed(method)[1] for method in methods]

    first, second = together(2, target, str(tmp_path / "two"), methods, 1.0, sharding)

    assert first == second
    for method, rows, other in zip(methods, alone, first, strict=True):
        assert figures(other) == pytest.approx(figures(rows), rel=1e-3, abs=1e-4), method


@pytest.mark.slow
def test_two_workers_resume_with_what_the_first_one_kept(tmp_path):
    """Each knows the losses of both: the others' state is in its checkpoint."""
    methods = ["dwa", "plateau", "initial_scale", "famo"]
    whole, _ = together(2, target, str(tmp_path / "whole"), methods)

    together(2, target, str(tmp_path / "halves"), methods, 0.35)
    first, second = together(2, target, str(tmp_path / "halves"), methods)

    assert first == second
    for method, rows, other in zip(methods, whole, first, strict=True):
        assert 0 < len(other) < len(rows), method
        assert other == rows[-len(other) :], method


@pytest.mark.parametrize("method", sorted(WHOLE_BATCHES))
def test_who_weighs_whole_batches_refuses_micro_batches(tmp_path, method):
    sentence = f"balancing {method} weighs a step's batch as a whole, not in 2 micro-batches: lower"
    with pytest.raises(ConfigError, match=sentence):
        train(tmp_path, method, Execution(accumulation=2))


class TwoShards(Workers):
    count = 2


@pytest.mark.parametrize(
    ("execution", "workers", "what"),
    [
        (Execution(compile=True), ALONE, "a compiled model does not allow: run without compile"),
        (Execution(workers=2, sharding="fsdp2"), TwoShards(), "a sharded model .* sharding ddp"),
    ],
)
def test_who_takes_gradients_refuses_models_that_do_not_give_them(execution, workers, what):
    def model(method):
        settings = TwoSettings.model_validate({"balancing": {"method": method}})
        return nn.Sequential(TwoLosses(settings, 0))

    with pytest.raises(ConfigError, match=f"balancing pcgrad takes gradients .* {what}"):
        require_balanced_alike(model("pcgrad"), toy_cell(), execution, workers)
    require_balanced_alike(model("famo"), toy_cell(), execution, workers)


@pytest.mark.parametrize("method", ["dwa", "plateau"])
def test_a_step_that_did_not_fit_into_memory_leaves_nothing_in_a_balance(
    tmp_path, method, monkeypatch
):
    """The first half of a step is in the means when the second half runs out of memory."""
    halves = Execution(accumulation=2, checkpoint_seconds=1e9)
    whole, _ = train(tmp_path / "whole", method, halves)
    loss, calls = TwoTask.loss, []

    def short_once(self, model, batch, stage, step):
        calls.append(step)
        if step == 13 and calls.count(13) == 2:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
        return loss(self, model, batch, stage, step)

    monkeypatch.setattr(TwoTask, "loss", short_once)
    with pytest.raises(MemoryShortageError):
        train(tmp_path / "short", method, halves)
    again, _ = train(tmp_path / "short", method, halves)

    assert calls.count(13) == 4
    for name, tensor in whole.items():
        assert torch.equal(again[name], tensor), name
