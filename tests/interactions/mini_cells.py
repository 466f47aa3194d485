"""Cells of the mini suite, and runs of them."""

from pathlib import Path

from assay.cell import Cell, load_suite
from assay.result import Result, read_metrics
from assay.runner import cell_directory, run_cell
from assay.store import sets
from assay.training.loop import Execution
from tests.test_cell import ROOT

SUITE = ROOT / "sweeps" / "links_mini.yaml"


def cells(*overrides: str) -> tuple[Cell, ...]:
    return load_suite(SUITE, overrides).cells(sets.open_set("mini_links").digest)


def run(cell: Cell, storage: Path, **execution) -> Result:
    return run_cell(cell, Execution(**execution), storage, lambda report: None)


def rows(storage: Path, cell: Cell) -> list[dict[str, float]]:
    """The log without its clock."""
    found = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]
