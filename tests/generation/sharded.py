"""The mini set in shards, and a few training steps on it, for the tests of streaming."""

import json
from pathlib import Path

import numpy as np
import torch

from assay.cell import Cell, load_suite
from assay.generation.task import GenerationTask
from assay.store import sets
from assay.store.shards_cutting import cut
from assay.store.shards_place import Place
from assay.training.order import order_of, read_ahead
from tests.test_cell import ROOT

NAME = "mini@64"
TINY = (
    f"data={NAME}",
    "budget={steps: 24}",
    "training={batch_size: 32}",
    "settings={network: {size: xs}, process: {steps: 3}, validation_molecules: 20, "
    "evaluation_samples: 10}",
    "rules=[]",
)


def make(place: str) -> None:
    """Cut the prepared mini set into 31 shards."""
    cut("mini", 64, Place.of(place), lambda phase, fraction: None)


def tiny_cell(*overrides: str) -> Cell:
    """A cell on the sharded set of ASSAY_SHARDS, of seconds."""
    suite = load_suite(ROOT / "sweeps" / "grid_mini.yaml", (*TINY, *overrides))
    cells = suite.cells(sets.prepare(NAME).digest)
    return next(cell for cell in cells if cell.label == "gnn-flow_matching")


def losses(cell: Cell, begin: int, end: int) -> list[str]:
    """The losses of steps, to the last bit, from a model that does not learn."""
    task = GenerationTask(cell)
    data = task.data()
    torch.manual_seed(0)
    model, stage = task.model(data), task.stages()[0]
    order = order_of(data.train, cell.training.batch_size, cell.seed)
    read_ahead(data.train, order, begin)
    found = []
    for step in range(begin, end):
        with torch.no_grad():
            total = task.loss(model, data.train.batch(order.indices(step)), stage, step).total
        found.append(float(total).hex())
    return found


def curves(storage: Path, cell: Cell) -> list[dict]:
    """The rows of a cell's log without what the clock says."""
    path = storage / "cells" / cell.key / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def records_of(train, indices) -> list[int]:
    """The records that a batch holds."""
    return train.batch(np.asarray(indices)).record_ids.tolist()
