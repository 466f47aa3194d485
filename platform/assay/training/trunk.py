"""What runs of different budgets share: the state before the cool-down, kept for the others.

Under a constant rate with a warm-up in steps, a run of a larger budget goes through every state of
a smaller one up to the smaller one's cool-down. So it begins there, and ends bit for bit where it
would have ended alone; what it spent counts as if it had been alone.
"""

from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from assay.cell import Cell
from assay.training import checkpoint as checkpoints
from assay.training.meter import Meter

_KEPT = 16
"""Branching points, the newest of them."""


class Trunk:
    """The branching points of one cell's trunk in a run store."""

    def __init__(self, root: Path, cell: Cell) -> None:
        self.root, self.cell = root, cell
        self.end = 1 - cell.training.cooldown_fraction

    @classmethod
    def of(cls, cell: Cell, storage: Path, stages: int) -> "Trunk | None":
        """Return the trunk of a cell, if it has one; stages of their own shares have none."""
        if cell.trunk is None or stages > 1:
            return None
        return cls(storage / "trunks" / cell.trunk, cell)

    def newest(self) -> checkpoints.Checkpoint | None:
        """Return the furthest state that lies before this cell's cool-down, if there is one."""

        def is_before(state: dict) -> bool:
            return Meter(**state["meter"]).spent(self.cell.budget) <= self.end

        return checkpoints.load_newest(
            self.root, str(self.cell.trunk), set_aside=False, wanted=is_before
        )

    def is_passed(self, before: float, now: float) -> bool:
        """Return whether a step that spent from `before` to `now` was the last at the full rate."""
        return before < self.end <= now

    def keep(self, step: int, content: checkpoints.Checkpoint) -> None:
        """Keep a state for runs of larger budgets.

        Raises:
            MachineError: the disk is full or not writable.
        """
        shared = replace(content, state={**content.state, "cell_key": self.cell.trunk})
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root.with_suffix(".lock")):
            checkpoints.save(self.root, step, shared, keep=_KEPT)


def as_a_beginning(found: checkpoints.Checkpoint, cell: Cell) -> checkpoints.Checkpoint:
    """Return a branching point as the state of a cell that begins there: rows are its own."""
    step = found.state["meter"]["step"]
    own = {
        "cell_key": cell.key,
        "cell": cell.model_dump(mode="json"),
        "row": {"steps": 0, "parts": [dict.fromkeys(p, 0.0) for p in found.state["row"]["parts"]]},
        "resumed": 0,
        "shared_steps": step,
    }
    return replace(found, state={**found.state, **own})
