import shutil

import pytest
import torch

from assay.errors import ConfigError, MachineError
from assay.training.execution import Execution
from assay.training.loop import Training
from tests.training.toy import ToyTask, toy_cell

PLAIN = Execution()
CONSTANT = {"schedule": "constant", "warmup_steps": 5, "cooldown_fraction": 0.25}


def cell_of(steps, **training):
    return toy_cell(budget={"steps": steps}, training={**CONSTANT, **training})


def begun(cell, storage, execution=PLAIN):
    directory = storage / "cells" / cell.key
    directory.mkdir(parents=True, exist_ok=True)
    task, trunks = ToyTask(cell), storage / "trunks"
    return Training(task, cell, task.data(), execution, directory, lambda row: None, trunks=trunks)


def train(cell, storage, execution=PLAIN):
    training = begun(cell, storage, execution)
    training.run()
    return training


def assert_equal(one, other):
    for name, tensor in one.average.model.state_dict().items():
        assert torch.equal(other.average.model.state_dict()[name], tensor), name
    ours, theirs = one.meter, other.meter
    assert (ours.step, ours.samples, ours.flops) == (theirs.step, theirs.samples, theirs.flops)


def test_a_larger_budget_begins_where_the_smaller_one_cooled_down_and_ends_as_if_alone(tmp_path):
    small, large = cell_of(40), cell_of(100)
    alone = train(large, tmp_path / "alone")

    first = train(small, tmp_path / "shared")
    second = train(large, tmp_path / "shared")

    assert small.trunk == large.trunk
    assert (alone.shared_steps, first.shared_steps, second.shared_steps) == (0, 0, 30)
    assert second.resumed == 0
    assert_equal(alone, second)


def test_a_smaller_budget_takes_the_last_point_before_its_own_cool_down(tmp_path):
    for steps in (20, 40, 100):
        train(cell_of(steps), tmp_path / "shared")
    alone = train(cell_of(60), tmp_path / "alone")

    between = train(cell_of(60), tmp_path / "shared")

    assert between.shared_steps == 30
    assert_equal(alone, between)


def test_a_budget_in_flops_begins_where_the_smaller_one_cooled_down_too(tmp_path):
    def cell(flops):
        return toy_cell(budget={"flops": flops}, training=CONSTANT)

    alone = train(cell(2e5), tmp_path / "alone")
    first = train(cell(8e4), tmp_path / "shared")

    second = train(cell(2e5), tmp_path / "shared")

    assert 0 < second.shared_steps < first.meter.step < second.meter.step
    assert_equal(alone, second)


def test_a_cell_that_is_killed_carries_on_from_its_own_checkpoint(tmp_path):
    train(cell_of(40), tmp_path)
    large = cell_of(100)
    begun(large, tmp_path).run(until=0.5)

    resumed = train(large, tmp_path)

    assert (resumed.shared_steps, resumed.resumed) == (30, 1)
    assert_equal(train(large, tmp_path / "alone"), resumed)


def test_a_cell_that_is_killed_before_its_first_own_checkpoint_is_one_that_was_resumed(tmp_path):
    train(cell_of(40), tmp_path)
    begun(cell_of(100), tmp_path)

    assert train(cell_of(100), tmp_path).resumed == 1


def test_what_another_number_of_micro_batches_made_is_left_alone(tmp_path):
    train(cell_of(40), tmp_path, Execution(accumulation=2))

    assert train(cell_of(100), tmp_path).shared_steps == 0
    assert train(cell_of(60), tmp_path, Execution(accumulation=2)).shared_steps == 30


def test_what_two_kinds_of_runs_made_together_is_not_kept(tmp_path):
    begun(cell_of(40), tmp_path, Execution(accumulation=2)).run(until=0.5)
    train(cell_of(40), tmp_path)

    assert not (tmp_path / "trunks").exists()
    assert train(cell_of(100), tmp_path).shared_steps == 0


def test_another_rate_seed_or_schedule_shares_nothing(tmp_path):
    trunk = cell_of(40).trunk

    assert cell_of(40, learning_rate=0.5).trunk != trunk
    assert toy_cell(budget={"steps": 40}).trunk is None
    assert toy_cell(budget={"samples": 640}, training=CONSTANT).trunk == trunk
    train(cell_of(40), tmp_path)
    assert train(cell_of(100, learning_rate=0.5), tmp_path).shared_steps == 0


def test_stages_with_warm_ups_of_their_own_are_refused(tmp_path):
    staged = toy_cell("staged", budget={"steps": 40}, training=CONSTANT)

    with pytest.raises(ConfigError, match="trains in 2 stages, each with a warm-up of its own"):
        begun(staged, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "trunks").write_text("a file")

    with pytest.raises(MachineError, match="cannot be written"):
        train(cell_of(40), tmp_path)


def test_a_damaged_point_is_passed_over(tmp_path):
    train(cell_of(20), tmp_path)
    train(cell_of(40), tmp_path)
    newest = max((tmp_path / "trunks").glob("*/step-*"))
    (newest / "model.safetensors").write_bytes(b"torn")

    found = train(cell_of(100), tmp_path)

    assert found.shared_steps == 15
    shutil.rmtree(tmp_path / "trunks")
    assert train(cell_of(80), tmp_path).shared_steps == 0


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({"warmup_steps": 5}, "warmup_steps belongs to schedule constant"),
        ({**CONSTANT, "warmup_fraction": 0.1}, "give warmup_fraction or warmup_steps, not both"),
    ],
)
def test_a_warm_up_is_given_once(training, sentence):
    with pytest.raises(ValueError, match=sentence):
        toy_cell(training=training)
