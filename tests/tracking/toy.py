"""A family of nothing, so that tracking is tested without training anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import catalog
from assay.cell import Cell
from assay.config import Settings, SizedSettings, canonical_json
from assay.result import Cost, Provenance, Result, write_bytes, write_json
from assay.task import Estimate


class ToyNetwork(SizedSettings):
    presets = {"xs": {"width": 4}, "s": {"width": 8}}
    width: int = 8


class ToySettings(Settings):
    network: ToyNetwork = ToyNetwork()


class ToyTask:
    protocol = "toy 1"

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        return cls.protocol

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> ToySettings:
        return ToySettings.model_validate(given)


def install(monkeypatch) -> None:
    """Make the family `toy` known for the length of a test."""
    monkeypatch.setitem(catalog.FAMILIES, "toy", f"{__name__}:ToyTask")


def cell(seed: int = 0, architecture: str = "gnn") -> Cell:
    return Cell.model_validate(
        {
            "family": "toy",
            "variant": {"architecture": architecture, "process": "diffusion"},
            "data": {"name": "mini", "digest": "ab" * 32},
            "seed": seed,
            "budget": {"samples": 6400},
            "settings": {"network": {"size": "xs"}},
        }
    )


def write_rows(directory: Path, steps: range) -> None:
    """Append rows of metrics.jsonl, as the training loop writes them."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "metrics.jsonl").open("a") as file:
        for step in steps:
            row = {"step": step, "samples": 64 * step, "flops": 1.0, "seconds": step / 10}
            file.write(canonical_json({**row, "train/loss": 1 / step, "val/loss": 2 / step}) + "\n")


def write_finished(directory: Path, of: Cell, steps: int = 10) -> Result:
    """Write a whole cell directory: curves and a result."""
    (directory / "metrics.jsonl").unlink(missing_ok=True)
    write_rows(directory, range(1, steps + 1))
    write_json(directory / "cell.json", of)
    write_bytes(directory / "artifacts" / "samples.npz", b"samples of " + of.key.encode())
    result = Result(
        cell=of.model_dump(mode="json"),
        estimates={
            "edm/validity": Estimate(
                value=0.5, low=0.4, high=0.6, n=100, version="1", better="higher"
            )
        },
        cost=Cost(
            parameters=1000, steps=steps, samples=64 * steps, flops=1e9, training_seconds=1.0,
            evaluation_seconds=0.5, peak_memory_bytes=1 << 20,
        ),
        provenance=Provenance(
            cell_key=of.key, protocol=ToyTask.protocol, assay_version="0.1.0", code_digest="0" * 16,
            git_commit="c" * 40, git_dirty=False, packages={}, python="3.11", machine="test",
            device="cpu", threads=1, data_description="nothing",
            created_utc="2026-01-01T00:00:00+00:00",
        ),
    )  # fmt: skip
    write_json(directory / "result.json", result)
    return result
