import hashlib

import numpy as np
import pytest
import torch

from assay.captioning.bridge.settings import BridgeSettings
from assay.cell import Cell
from assay.config import validate
from assay.errors import ConfigError, TrainingError
from assay.training.execution import Execution
from assay.training.loop import Training
from tests.captioning.bridge.small import SCRATCH, SMALL, Bridge, BridgeTask, Few

OF = {
    "pretrain": ("contrast.", "masking."),
    "align": "projector.",
    "generate": ("projector.", "language."),
}


class Killed(BaseException):
    """Stands for SIGKILL."""


def cell_of(steps, **changes):
    generator = {**SMALL, "scratch": SCRATCH, **changes}
    return Cell.model_validate(
        {
            "family": "captioning",
            "variant": {"generator": "solid_bridge"},
            "data": {"name": "mini_captions", "digest": "0" * 16},
            "seed": 0,
            "budget": {"steps": steps},
            "training": {"batch_size": 16, "validations": 2, "learning_rate": 3e-3},
            "settings": {"generator": generator},
        }
    )


def training_of(few, cell, directory, watch=lambda row: None):
    directory.mkdir(parents=True, exist_ok=True)
    task = BridgeTask(few, cell.settings.generator, cell.seed)
    execution = Execution(checkpoint_seconds=0)
    return Training(task, cell, task.data(), execution, directory, watch)


def digests(model):
    """Return a digest of every weight, those that never learn included."""
    named = torch.nn.Module.named_parameters(model)
    return {n: hashlib.sha256(p.detach().numpy().tobytes()).hexdigest() for n, p in named}


def test_hidden_atoms_are_told_beside_the_contrast_of_stage_0(few):
    of = {}
    for weight in (1.0, 3.0):
        bridge = Bridge.of(few, masking={"weight": weight, "features": ["element"]})
        batch = bridge.enter("pretrain").records.batch(np.arange(8))
        torch.manual_seed(2)
        parts = bridge.model(batch)
        again = bridge.model(batch)
        torch.manual_seed(4)
        others = bridge.model(batch)
        of[weight] = parts["masking"]
        assert torch.equal(parts["masking"], again["masking"])  # atoms are drawn by the step's seed
        assert not torch.equal(parts["masking"], others["masking"])
    torch.testing.assert_close(of[3.0], 3 * of[1.0])
    assert set(Bridge.of(few).model(batch)) == {"contrast"}

    of[3.0].backward()
    reached = {name for name, p in bridge.model.named_parameters() if p.grad is not None}
    assert {"masking.hidden", "masking.heads.element.weight"} <= reached
    assert "contrast.graphs.layers.0.conv.nn.0.weight" in reached


@pytest.mark.parametrize("changes", [{"inputs": "smiles"}, {"stages": {"pretrain": 0}}])
def test_masking_without_stage_0_is_refused(changes):
    with pytest.raises(ConfigError, match="masking belongs to stage 0"):
        validate(BridgeSettings, {**SMALL, "masking": {}, **changes}, "settings")


@pytest.mark.parametrize("adapt", ["full", "lora"])
def test_a_stage_changes_what_it_trains_and_not_one_weight_besides(few, tmp_path, adapt):
    stages = {"pretrain": 0.4, "align": 0.4}
    cell = cell_of(10, adapt=adapt, stages=stages, gate={"required": False}, masking={})
    training = training_of(few, cell, tmp_path)

    before = digests(training.model)
    for name, until in (("pretrain", 0.4), ("align", 0.8), ("generate", 1.0)):
        training.run(until)
        after = digests(training.model)
        changed = {key for key in before if before[key] != after[key]}
        assert training.stages[training.stage].name == name
        assert changed
        assert [key for key in changed if not key.startswith(OF[name])] == []
        if adapt == "lora":
            assert [k for k in changed if k.startswith("language.") and "lora_" not in k] == []
        before = after


def test_stage_2_does_not_begin_where_the_encoder_learned_nothing(few, tmp_path):
    cell = cell_of(12, stages={"pretrain": 0, "align": 0.5})

    with pytest.raises(TrainingError, match="stage 2 does not begin; give") as told:
        training_of(few, cell, tmp_path).run()

    assert "Recall@1 of held-out descriptions is" in str(told.value)
    assert "of shuffled pairs" in str(told.value)
    assert str(told.value).count(". ") == 0  # one sentence


def test_a_plan_tries_steps_of_stage_2_without_having_trained(made):
    stage = made().stages["generate"]

    assert len(stage.records.batch(np.arange(4))) == 4


def test_a_setting_lets_stage_2_begin_all_the_same_and_says_so(few, tmp_path, caplog):
    cell = cell_of(4, stages={"pretrain": 0, "align": 0.5}, gate={"required": False})

    training = training_of(few, cell, tmp_path)
    training.run()

    assert training.meter.step == 4
    assert "graphs do not tell descriptions apart" in caplog.text


def test_stage_2_begins_where_graphs_find_their_descriptions(caplog):
    caplog.set_level("INFO")
    bridge = Bridge.of(Few.of_mini(every=4))
    bridge.train("pretrain", 60, batch_size=64)
    bridge.train("align", 60, batch_size=64)
    assert bridge.generator.verdict().passes

    bridge.train("generate", 1)

    assert "stage 2 begins" in caplog.text


def test_what_the_gate_asks_was_not_shown_to_the_stages_before_it(made):
    bridge = made()
    early, align = (bridge.stages[name].records for name in ("pretrain", "align"))
    held_out = bridge.generator.held_out

    ids = {int(i) for i in held_out.batch(np.arange(len(held_out))).record_ids}
    for shown in (early, align):
        assert ids.isdisjoint(shown.batch(np.arange(len(shown))).record_ids.tolist())
    assert len(ids) + len(align) == len(bridge.records)
    assert len(bridge.stages["generate"].records) == len(bridge.records)


RESUMED = {"adapt": "lora", "stages": {"pretrain": 0.3, "align": 0.3}, "gate": {"required": False}}


@pytest.fixture(scope="module")
def undisturbed(few, tmp_path_factory):
    training = training_of(few, cell_of(10, **RESUMED), tmp_path_factory.mktemp("whole"))
    training.run()
    return training


@pytest.mark.parametrize("kill_after", [2, 8])
def test_a_killed_run_ends_bit_for_bit_where_an_undisturbed_one_does(
    few, tmp_path, undisturbed, kill_after
):
    def watch(row):
        if row.meter.step >= kill_after:
            raise Killed

    with pytest.raises(Killed):
        training_of(few, cell_of(10, **RESUMED), tmp_path, watch).run()
    resumed = training_of(few, cell_of(10, **RESUMED), tmp_path)
    resumed.run()

    assert resumed.resumed == 1
    assert resumed.meter.flops == undisturbed.meter.flops
    for name, tensor in undisturbed.average.model.state_dict().items():
        assert torch.equal(resumed.average.model.state_dict()[name], tensor), name
