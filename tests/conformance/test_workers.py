"""Two workers train what one does: the same losses at the same batches, for every architecture."""

from pathlib import Path

import pytest

from assay.cell import load_suite
from tests.training.group import losses, together

SUITE = Path(__file__).resolve().parents[2] / "sweeps" / "grid_mini.yaml"
STEPS = 50
TINY = (
    f"budget={{steps: {STEPS}}}",
    "training={batch_size: 8, validations: 1}",
    "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 8, "
    "evaluation_samples: 4}",
)
LABELS = ("gnn-flow_matching", "transformer-diffusion", "pairformer-stochastic_interpolant")


def train(label: str, storage: str, sharding: str, accumulation: int) -> int:
    """What every worker does."""
    import torch.distributed as dist

    from assay.runner import train_until
    from assay.store import sets
    from assay.training.execution import Execution
    from assay.training.parallel import ALONE, DistributedWorkers

    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = DistributedWorkers(sharding, "cpu") if count > 1 else ALONE
    cells = load_suite(SUITE, TINY).cells(sets.open_set("mini").digest)
    cell = next(cell for cell in cells if cell.label == label)
    execution = Execution(
        checkpoint_seconds=1e9, workers=count, sharding=sharding, accumulation=accumulation
    )
    report = train_until(cell, execution, Path(storage), lambda report: None, 1.0, workers=workers)
    return report.step


@pytest.mark.parametrize(
    "label",
    [pytest.param(each, marks=[pytest.mark.slow] if each != LABELS[0] else []) for each in LABELS],
)
def test_two_workers_have_the_losses_of_one(label, mini, tmp_path):
    assert together(1, train, label, str(tmp_path / "one"), "ddp", 1) == [STEPS]
    assert together(2, train, label, str(tmp_path / "two"), "ddp", 1) == [STEPS, STEPS]

    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == STEPS
    assert two == pytest.approx(one, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("sharding", "accumulation"), [("ddp", 2), ("fsdp2", 1), ("fsdp2", 2)])
def test_shards_and_micro_batches_change_nothing(label, sharding, accumulation, mini, tmp_path):
    together(1, train, label, str(tmp_path / "one"), "ddp", 1)
    together(2, train, label, str(tmp_path / "two"), sharding, accumulation)

    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
