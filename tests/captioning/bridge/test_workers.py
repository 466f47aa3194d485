"""Two workers write, each half of a batch, as one does, under DDP."""

from pathlib import Path

import pytest

from tests.captioning.bridge.small import SCRATCH, SMALL
from tests.training.group import losses, together

BUDGET = 4


def train(storage: str) -> int:
    """What every worker does."""
    import torch.distributed as dist

    from assay.cell import Cell
    from assay.runner import train_until
    from assay.store import sets
    from assay.training.execution import Execution
    from assay.training.parallel import ALONE, DistributedWorkers

    # Contrast is within a worker's part of a batch, so only stage 2 has the losses of one worker.
    changes = {"stages": {"pretrain": 0, "align": 0}, "gate": {"required": False}, "adapt": "lora"}
    cell = Cell.model_validate(
        {
            "family": "captioning",
            "variant": {"generator": "solid_bridge"},
            "data": {"name": "mini_captions", "digest": sets.open_set("mini_captions").digest},
            "seed": 0,
            "budget": {"steps": BUDGET},
            "training": {"batch_size": 8, "records": 64, "validations": 1},
            "settings": {"generator": {**SMALL, "scratch": SCRATCH, **changes}},
        }
    )
    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = DistributedWorkers("ddp", "cpu") if count > 1 else ALONE
    execution = Execution(checkpoint_seconds=1e9, workers=count)
    return train_until(cell, execution, Path(storage), lambda _: None, 1.0, workers=workers).step


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one(mini_captions, tmp_path):
    assert together(1, train, str(tmp_path / "one")) == [BUDGET]
    assert together(2, train, str(tmp_path / "two")) == [BUDGET] * 2

    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
