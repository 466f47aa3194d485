"""Two workers train a planet's language model as one does, whole or in shards."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.training.group import together

pytestmark = pytest.mark.slow
STEPS = 8
BASE = "encoders.text_descriptions.language."


def train(folder: str, storage: str, sharding: str, until: float, recompute: bool) -> list:
    """What every worker does; what it says of the model is how it holds it."""
    import torch
    import torch.distributed as dist
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

    from assay.habitability.task import HabitabilityTask
    from assay.training.execution import Execution
    from assay.training.loop import Training
    from assay.training.parallel import ALONE, DistributedWorkers
    from tests.habitability.test_task import cell

    count = dist.get_world_size() if dist.is_initialized() else 1
    workers = DistributedWorkers(sharding, "cpu") if count > 1 else ALONE
    one = cell(
        "cross_attention",
        f"budget.steps={STEPS}",
        "grid.fusion=[cross_attention]",
        "rules=[]",
        f"settings.model={{size: xs, language_model: {folder}}}",
        f"settings.model.gradient_checkpointing={str(recompute).lower()}",
    )
    task = HabitabilityTask(one)
    execution = Execution(checkpoint_seconds=1e9, workers=count, sharding=sharding)
    directory = Path(storage)
    directory.mkdir(exist_ok=True)
    training = Training(task, one, task.data(), execution, directory, lambda row: None, workers)
    training.run(until)
    model, average = training.model, training.average.model
    mine, theirs = (dict(torch.nn.Module.named_parameters(each)) for each in (model, average))
    base = {name: p for name, p in mine.items() if model.is_fixed(name)}
    layers = model.encoders["text_descriptions"].language.get_decoder().layers
    return [
        training.meter.step,
        all(isinstance(layer, FSDPModule) for layer in layers),
        sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in base.values()),
        all(theirs[name] is p for name, p in base.items()),
        sum(p.numel() for p in base.values()),
    ]


def rows(storage: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (storage / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in ("seconds", "flops")} for line in lines]


@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_two_workers_have_the_losses_of_one(sharding, folder, cached_planets, tmp_path):
    """In shards, with activations computed anew: what is looked at is the same, too."""
    alone, both = tmp_path / "one", tmp_path / "two"
    together(1, train, str(folder), str(alone), "ddp", 1.0, False)
    sharded = sharding == "fsdp2"
    ends = together(2, train, str(folder), str(both), sharding, 1.0, sharded)

    for step, blocks, _, shared, _ in ends:
        assert (step, blocks, shared) == (STEPS, sharded, True)
    (*_, first, _, whole), (*_, second, _, _) = ends
    assert first + second == (whole if sharded else 2 * whole)
    assert 0.4 < first / (first + second) < 0.6
    one, two = rows(alone), rows(both)
    assert len(one) == len(two) == STEPS
    assert "val/mae" in one[-1]
    assert "val/share/physics/text_descriptions" in one[-1]
    for expected, row in zip(one, two, strict=True):
        assert row["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-5)
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_checkpoint_of_shards_holds_adapters_and_carries_on(folder, cached_planets, tmp_path):
    """With two workers bit for bit, and with one."""
    whole, halves, fewer = (tmp_path / name for name in ("whole", "halves", "fewer"))
    together(2, train, str(folder), str(whole), "fsdp2", 1.0, False)
    together(2, train, str(folder), str(halves), "fsdp2", 0.5, False)
    (path,) = halves.glob(f"checkpoints/step-*{STEPS // 2}/model.safetensors")
    with safe_open(path, "pt") as file:
        kept = [name for name in file.keys() if name.startswith(BASE)]  # noqa: SIM118
    shutil.copytree(halves, fewer)
    together(2, train, str(folder), str(halves), "fsdp2", 1.0, False)
    together(1, train, str(folder), str(fewer), "ddp", 1.0, False)

    assert rows(halves) == rows(whole)
    assert len(rows(fewer)) == STEPS
    for expected, row in zip(rows(whole), rows(fewer), strict=True):
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert len(kept) == 2 * 7 * 2  # A and B of seven maps in either block
    assert all("lora_" in name for name in kept)
