import shutil
from pathlib import Path

import pytest
import torch

from assay.errors import ConfigError
from assay.training.parallel import _require_shards
from tests.training.group import losses, together
from tests.training.test_fixed import Adapted

WIDTHS = {"muon": {"width": 32}, "adamw_8bit": {"width": 65}}


def workers_here(sharding="ddp"):
    from assay.training.parallel import DistributedWorkers

    return DistributedWorkers(sharding, "cpu")


def toy(
    storage: str,
    budget: int,
    until: float = 1.0,
    sharding: str = "ddp",
    settings=None,
    checkpoint_seconds: float = 0.0,
    shares_its_beginning: bool = False,
    optimizer: str = "adamw",
):
    """Train the toy family; the group is of as many as there are processes."""
    import torch.distributed as dist

    from assay import catalog, runner
    from assay.training.execution import Execution
    from assay.training.parallel import ALONE
    from tests.training.toy import ToyTask, toy_cell

    catalog.FAMILIES["toy"] = "tests.training.toy:ToyTask"
    catalog.load.cache_clear()
    runner.sets.prepare = lambda name: None
    runner.sets.require_digest = lambda packed, digest: None
    assert catalog.family("toy") is ToyTask
    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = workers_here(sharding) if count > 1 else ALONE
    training, variant = {"validations": 5}, "staged"
    if shares_its_beginning:
        training, variant = {"schedule": "constant", "warmup_steps": 3}, "plain"
    if optimizer != "adamw":
        training, variant, settings = {"optimizer": optimizer}, "deep", WIDTHS[optimizer]
    cell = toy_cell(variant, budget={"steps": budget}, settings=settings, training=training)
    execution = Execution(checkpoint_seconds=checkpoint_seconds, workers=count, sharding=sharding)
    report = runner.train_until(
        cell, execution, Path(storage), lambda report: None, until, workers=workers
    )
    return report.step


def exchange() -> list:
    workers = workers_here()
    return [
        workers.rank,
        workers.count,
        workers.sum([1.0, float(workers.rank)]),
        workers.gather({"name": "Å" * (workers.rank + 1)}),
        workers.on_first(lambda: f"from {workers.rank}"),
    ]


def faulty_first() -> None:
    from assay.errors import DataError

    def fail() -> None:
        raise DataError("first only: a fault; mend it")

    workers_here().on_first(fail)


def shards() -> list:
    from assay.errors import CheckpointError

    workers = workers_here("fsdp2")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    model.register_parameter("scale", torch.nn.Parameter(torch.tensor(2.0)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    workers.shard(model)
    local = sum(parameter.to_local().numel() for parameter in model.parameters())
    model.load_state_dict(workers.place(before, model.state_dict()))
    again = workers.whole(model.state_dict())
    with pytest.raises(CheckpointError, match=r"0\.weight has another shape"):
        workers.place({"0.weight": torch.zeros(4, 4)}, model.state_dict())
    same = [name for name in again if torch.equal(before[name].flatten(), again[name].flatten())]
    return [local, same]


def test_workers_add_up_gather_and_follow_the_first():
    names = [{"name": "Å"}, {"name": "ÅÅ"}]
    assert together(2, exchange) == [
        [rank, 2, [2.0, 1.0], names, "from 0"] for rank in (0, 1)
    ]  # fmt: skip


def test_a_fault_of_the_first_worker_is_everybodys():
    assert together(2, faulty_first) == [["DataError", "first only: a fault; mend it"]] * 2


def test_fsdp2_holds_half_of_the_parameters_and_the_first_worker_gets_the_whole():
    first, second = together(2, shards)
    assert first[1] == ["scale", "0.weight", "0.bias", "1.weight", "1.bias"]
    assert second[1] == []
    assert first[0] + second[0] == 1 + 3 * 5 + 5 + 5 * 2 + 2
    assert max(first[0], second[0]) < 32


@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_two_workers_resume_bit_for_bit(sharding, tmp_path):
    whole, halves = str(tmp_path / "whole"), str(tmp_path / "halves")
    assert together(2, toy, whole, 30, 1.0, sharding) == [30, 30]
    assert together(2, toy, halves, 30, 0.4, sharding) == [12, 12]
    assert together(2, toy, halves, 30, 1.0, sharding) == [30, 30]

    assert losses(Path(halves)) == losses(Path(whole))


@pytest.mark.parametrize("sharding", ["ddp", pytest.param("fsdp2", marks=pytest.mark.slow)])
def test_two_workers_begin_where_a_smaller_budget_cooled_down(sharding, tmp_path):
    """A run's rows begin there, and are those of one that began at the beginning."""
    rest = (1.0, sharding, None, 1e9, True)
    together(2, toy, str(tmp_path / "alone"), 50, *rest)
    together(2, toy, str(tmp_path / "shared"), 25, *rest)
    shutil.rmtree(tmp_path / "shared" / "cells")
    together(2, toy, str(tmp_path / "shared"), 50, *rest)

    later, alone = losses(tmp_path / "shared"), losses(tmp_path / "alone")
    assert len(later) == 30
    assert later == alone[20:]


@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_matrices_are_made_orthogonal_whole(sharding, tmp_path):
    """Muon of half a matrix would be another update."""
    rest = (1.0, sharding, None, 0.0, False, "muon")
    together(1, toy, str(tmp_path / "one"), 30, *rest)
    assert together(2, toy, str(tmp_path / "two"), 30, *rest) == [30, 30]

    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-3)


def test_a_group_of_another_size_carries_on(tmp_path):
    together(1, toy, str(tmp_path / "one"), 30)
    together(2, toy, str(tmp_path / "both"), 30, 0.43)
    assert together(1, toy, str(tmp_path / "both"), 30) == [30]

    assert losses(tmp_path / "both") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)


def test_a_loss_that_is_not_finite_stops_every_worker(tmp_path):
    ends = together(2, toy, str(tmp_path), 30, 1.0, "ddp", {"poison_at": 7})
    assert [end[0] for end in ends] == ["TrainingError"] * 2
    assert all("at step 7: not finite" in end[1] for end in ends)


class InFourBits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        packed = torch.zeros(3, dtype=torch.uint8)
        self.weight = torch.nn.Parameter(packed, requires_grad=False)


class AskedAtAnyTime(Adapted):
    not_in_shards = "it is asked by each worker for itself"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (InFourBits, r"fsdp2: weight holds weights of less than 16 bits, .*sharding=ddp"),
        (AskedAtAnyTime, "fsdp2: it is asked by each worker for itself; use resources.*ddp"),
    ],
)
def test_what_cannot_be_cut_into_shards_is_refused_before_it_is(model, why):
    with pytest.raises(ConfigError, match=why):
        _require_shards(model())
    _require_shards(Adapted())


def test_a_look_at_sharded_weights_leaves_them_sharded(tmp_path):
    """No checkpoint follows the look, which would cut the averaged weights again."""
    together(1, toy, str(tmp_path / "one"), 30)
    ends = together(2, toy, str(tmp_path / "two"), 30, 1.0, "fsdp2", None, 1e9)
    assert ends == [30, 30]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)


def test_a_worker_without_memory_makes_all_begin_again_with_smaller_parts(tmp_path):
    settings = {"memory": 4}
    ends = together(2, toy, str(tmp_path), 30, 1.0, "ddp", settings)
    assert [end[0] for end in ends] == ["MemoryShortageError"] * 2
    assert together(2, toy, str(tmp_path), 30, 1.0, "ddp", settings) == [30, 30]
