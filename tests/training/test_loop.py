import json

import numpy as np
import pytest
import torch

from assay.errors import CheckpointError, MachineError, TrainingError
from assay.training import loop
from assay.training.execution import Execution, require_device
from assay.training.loop import Training
from tests.training.toy import ToyTask, toy_cell

EVERY_ROW = Execution(checkpoint_seconds=0)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours handles it."""


def train(cell, directory, execution=EVERY_ROW, kill_after=None):
    directory.mkdir(parents=True, exist_ok=True)
    task = ToyTask(cell)
    rows = []

    def watch(row):
        rows.append(row)
        if kill_after is not None and row.meter.step >= kill_after:
            raise Killed

    training = Training(task, cell, task.data(), execution, directory, watch)
    training.run()
    return training, training.average.model, rows


def log(directory):
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.parametrize("variant", ["plain", "staged", "freezing", "deep"])
@pytest.mark.parametrize("kill_after", [1, 17, 30, 59])
def test_n_steps_a_kill_and_n_steps_equal_2n_bit_for_bit(tmp_path, variant, kill_after):
    by_muon = {"settings": {"width": 16}, "training": {"optimizer": "muon"}}
    cell = toy_cell(variant, budget={"steps": 60}, **(by_muon if variant == "deep" else {}))
    _, undisturbed, _ = train(cell, tmp_path / "whole")

    with pytest.raises(Killed):
        train(cell, tmp_path / "killed", kill_after=kill_after)
    training, resumed, _ = train(cell, tmp_path / "killed")

    assert training.resumed == (kill_after > 1)
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert log(tmp_path / "killed") == log(tmp_path / "whole")


def test_micro_batches_see_the_same_draws_and_the_same_mean_loss(tmp_path):
    cell = toy_cell(budget={"steps": 50})

    train(cell, tmp_path / "whole")
    train(cell, tmp_path / "halves", Execution(accumulation=2))
    train(cell, tmp_path / "odd", Execution(accumulation=3))

    whole = [row["train/loss"] for row in log(tmp_path / "whole")]
    for other in ("halves", "odd"):
        assert [row["train/loss"] for row in log(tmp_path / other)] == pytest.approx(
            whole, rel=1e-4
        )


@pytest.mark.parametrize(
    ("budget", "steps"),
    [({"steps": 30}, 30), ({"samples": 100}, 7), ({"flops": 20_000.0}, None)],
)
def test_training_stops_with_the_step_that_spends_the_budget(tmp_path, budget, steps):
    training, _, rows = train(toy_cell(budget=budget), tmp_path)

    a_step = training.meter.flops / training.meter.step
    assert training.meter.step == (steps or int(np.ceil(20_000 / a_step)))
    assert rows[-1].fraction == 1.0
    assert training.meter.samples == 16 * training.meter.step


def test_a_budget_in_seconds_ends(tmp_path):
    training, _, _ = train(toy_cell(budget={"seconds": 0.2}), tmp_path)

    assert 0.2 <= training.meter.seconds < 2.0


def test_the_loss_falls_and_every_row_names_its_parts(tmp_path):
    _, _, rows = train(toy_cell(budget={"steps": 200}, training={"learning_rate": 0.05}), tmp_path)

    losses = [row.metrics["train/loss"] for row in rows]
    assert len(rows) == 100
    assert losses[-1] < 0.1 * losses[0]
    assert {"train/loss", "train/squared", "train/gradient_norm"} <= rows[0].metrics.keys()


def test_whoever_watches_hears_between_the_rows_too(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TOLD_SECONDS", 0.0)

    _, _, heard = train(toy_cell(budget={"steps": 300}), tmp_path)

    assert [each.meter.step for each in heard] == list(range(1, 301))
    assert [bool(each.metrics) for each in heard] == [False, False, True] * 100
    assert [row["step"] for row in log(tmp_path)] == list(range(3, 301, 3))


def test_validation_is_spread_evenly(tmp_path):
    _, _, rows = train(toy_cell(budget={"steps": 100}, training={"validations": 4}), tmp_path)

    assert [r.meter.step for r in rows if "val/loss" in r.metrics] == [25, 50, 75, 100]


def test_a_stage_trains_only_what_it_names(tmp_path):
    cell = toy_cell("staged", budget={"steps": 40})
    with pytest.raises(Killed):
        train(cell, tmp_path, kill_after=18)
    task = ToyTask(cell)
    training = Training(task, cell, task.data(), EVERY_ROW, tmp_path, lambda row: None)
    torch.manual_seed(0)

    before = {n: p.clone() for n, p in training.model.named_parameters()}
    training._step()

    moved = {n for n, p in training.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"2.weight", "2.bias"}


def test_each_stage_is_measured_though_its_batches_are_alike(tmp_path):
    training, _, _ = train(toy_cell("freezing", budget={"steps": 40}), tmp_path)

    found = {key.split("'")[1]: flops for key, flops in training.flops.flops.items()}

    assert found.keys() == {"all", "head"}
    assert 0 < found["head"] < found["all"]
    assert training.meter.flops == 20 * (found["all"] + found["head"])


def test_the_average_lags_behind_and_is_what_is_returned(tmp_path):
    training, model, _ = train(toy_cell(budget={"steps": 50}), tmp_path)

    assert model is training.average.model
    assert not torch.equal(model[0].weight, training.model[0].weight)
    assert torch.allclose(model[0].weight, training.model[0].weight, atol=0.1)


def test_a_loss_that_is_not_finite_ends_the_cell_with_a_reason(tmp_path):
    cell = toy_cell(budget={"steps": 40}, settings={"poison_at": 25})

    with pytest.raises(TrainingError, match=r"loss nan.* at step 25: not finite; lower"):
        train(cell, tmp_path)

    # What was sound before is kept.
    assert (tmp_path / "checkpoints").is_dir()
    assert all(np.isfinite(row["train/loss"]) for row in log(tmp_path))


def test_a_validation_figure_that_is_not_finite_ends_the_cell_too(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyTask, "validate", lambda *_: {"loss": float("inf")})

    with pytest.raises(TrainingError, match="val/loss is inf at step"):
        train(toy_cell(), tmp_path)


def test_a_checkpoint_of_another_model_is_one_sentence(tmp_path, monkeypatch):
    cell = toy_cell(budget={"steps": 40})
    train(cell, tmp_path)
    other = torch.nn.Sequential(torch.nn.Linear(2, 1))
    monkeypatch.setattr(ToyTask, "model", lambda self, data: other)

    with pytest.raises(CheckpointError, match="--fresh computes the cell again"):
        train(cell, tmp_path)


def test_bf16_trains_close_to_fp32(tmp_path):
    losses = {}
    for precision in ("fp32", "bf16"):
        cell = toy_cell(budget={"steps": 100}, training={"precision": precision})
        train(cell, tmp_path / precision)
        losses[precision] = log(tmp_path / precision)[-1]["train/loss"]

    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_that_is_not_there_is_an_error_never_the_cpu():
    with pytest.raises(MachineError, match="no CUDA device"):
        require_device("cuda")


def test_a_frozen_parameter_keeps_no_gradient(tmp_path):
    training, _, _ = train(toy_cell("freezing", budget={"steps": 20}), tmp_path)
    gradients = {name: p.grad is not None for name, p in training.model.named_parameters()}
    assert gradients == {name: name.startswith("2.") for name in gradients}


def test_a_task_without_stages_trains_nothing_and_spends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyTask, "stages", lambda task: ())
    monkeypatch.setattr(ToyTask, "model", lambda task, data: torch.nn.Module())

    training, model, rows = train(toy_cell(), tmp_path / "cell")

    assert (training.fraction, training.meter.step, rows) == (1.0, 0, [])
    assert training.result is model
    assert training.look() == {}
    assert not (tmp_path / "cell" / "checkpoints").exists()
