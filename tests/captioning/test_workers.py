"""Two workers train a latent prefix as one does, under DDP."""

from pathlib import Path

import pytest

from tests.training.group import losses, together

pytest.importorskip("transformers")


def train(storage: str) -> int:
    """What every worker does."""
    import torch.distributed as dist

    from assay.runner import train_until
    from assay.training.execution import Execution
    from assay.training.parallel import ALONE, DistributedWorkers
    from tests.captioning.test_task import prefix

    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = DistributedWorkers("ddp", "cpu") if count > 1 else ALONE
    execution = Execution(checkpoint_seconds=1e9, workers=count)
    report = train_until(
        prefix(), execution, Path(storage), lambda report: None, 1.0, workers=workers
    )
    return report.step


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one(mini_captions, tmp_path):
    assert together(1, train, str(tmp_path / "one")) == [12]
    assert together(2, train, str(tmp_path / "two")) == [12, 12]

    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
