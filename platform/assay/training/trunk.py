"""What runs of different budgets share: the state before the cool-down, kept for the others.

Under a constant rate with a warm-up in steps, a run of a larger budget goes through every state of
a smaller one up to the smaller one's cool-down. So it begins there, and ends bit for bit where it
would have ended alone; what it spent counts as if it had been alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from assay.cell import Cell
from assay.errors import MachineError
from assay.training import checkpoint as checkpoints
from assay.training.execution import Maker
from assay.training.meter import Meter

_KEPT = 16
"""Branching points, the newest of them."""


class Trunk:
    """The branching points of one cell's trunk."""

    def __init__(self, root: Path, cell: Cell, maker: Maker) -> None:
        self.root, self.cell = root, cell
        self.end = 1 - cell.training.cooldown_fraction
        self.kin = {"trunks": root.parent.name, **asdict(maker)}
        """What a state must have been made by, from its first step, to be shared."""

    @classmethod
    def of(cls, cell: Cell, trunks: Path, maker: Maker) -> "Trunk | None":
        """Return the trunk of a cell in a folder of trunks of one code, if it has one."""
        return None if cell.trunk is None else cls(trunks / cell.trunk, cell, maker)

    def is_kin(self, state: Mapping[str, Any]) -> bool:
        """Return whether a state was made by this code with these workers and micro-batches."""
        return state.get("kin") == self.kin

    def newest(self) -> checkpoints.Checkpoint | None:
        """Return the furthest state that lies before this cell's cool-down, if there is one.

        One of other makers is left alone: from there a cell would not end bit for bit where it
        ends alone.
        """

        def is_wanted(state: Mapping[str, Any]) -> bool:
            return (
                self.is_kin(state) and Meter(**state["meter"]).spent(self.cell.budget) <= self.end
            )

        return checkpoints.load_newest(
            self.root, str(self.cell.trunk), set_aside=False, wanted=is_wanted
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
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with _lock(self.root):
                checkpoints.save(self.root, step, shared, keep=_KEPT)
        except OSError as error:
            raise MachineError(
                f"{self.root}: cannot be written ({error.strerror or error}); free some space and "
                "run the same command to carry on"
            ) from error


def set_aside(root: Path, stamp: str) -> None:
    """Keep a trunk's folder under a name with the time, so that nobody begins there.

    Raises:
        OSError: the run store cannot be written.
    """
    if root.exists():
        with _lock(root):
            if root.exists():
                root.rename(root.with_name(f"{root.name}.{stamp}"))


def _lock(root: Path) -> FileLock:
    return FileLock(root.with_suffix(".lock"))


def as_a_beginning(found: checkpoints.Checkpoint, cell: Cell) -> checkpoints.Checkpoint:
    """Return a branching point as the state of a cell that begins there: rows are its own."""
    step = found.state["meter"]["step"]
    own = {
        "cell_key": cell.key,
        "cell": cell.model_dump(mode="json"),
        "row": {"steps": 0, "parts": [dict.fromkeys(p, 0.0) for p in found.state["row"]["parts"]]},
        "shared_steps": step,
    }
    return replace(found, state={**found.state, **own})
