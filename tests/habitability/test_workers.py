"""Two workers train planets as one does, in every stage."""

from pathlib import Path

import pytest

from tests.training.group import losses, together

pytestmark = pytest.mark.slow
STAGED = "settings.model.schedule={experts: 0.4, fusion: 0.3}"


def train(storage: str, overrides: tuple[str, ...], sharding: str = "ddp") -> int:
    """What every worker does."""
    import torch.distributed as dist

    from assay.runner import train_until
    from assay.training.execution import Execution
    from assay.training.parallel import ALONE, DistributedWorkers
    from tests.habitability.test_stages import cell_of

    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = DistributedWorkers(sharding, "cpu") if count > 1 else ALONE
    execution = Execution(checkpoint_seconds=1e9, workers=count, sharding=sharding)
    one = cell_of("training.validations=1", *overrides)
    report = train_until(one, execution, Path(storage), lambda report: None, 1.0, workers=workers)
    return report.step


@pytest.mark.parametrize(
    ("overrides", "sharding"),
    [
        ((), "ddp"),
        ((STAGED,), "ddp"),
        ((STAGED,), "fsdp2"),
        ((STAGED, "settings.model.balancing={method: uncertainty}"), "ddp"),
    ],
    ids=["one stage", "three stages", "three stages in shards", "learnt weights"],
)
def test_two_workers_have_the_losses_of_one(cached_planets, tmp_path, overrides, sharding):
    assert together(1, train, str(tmp_path / "one"), overrides) == [10]
    assert together(2, train, str(tmp_path / "two"), overrides, sharding) == [10, 10]

    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 10
    assert two == pytest.approx(one, abs=1e-4)
