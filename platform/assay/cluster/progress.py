"""How far a suite has come and how long it will take; what the live table and the log show."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["waiting", "reused", "starting", "data", "train", "evaluate", "done", "failed"]
EVALUATION_SHARE = 0.25
"""Of training time, until a cell of this run has shown what evaluation takes."""


@dataclass
class Line:
    """One cell as its watchers see it."""

    label: str
    phase: Phase = "waiting"
    fraction: float = 0.0
    loss: float | None = None
    samples_per_second: float | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent in each phase that is over."""
    since: float = 0.0
    """When the phase began, by the board's clock."""
    fraction_at_first: float = 0.0
    """Of the phase: a resumed cell begins in the middle."""

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.phase in ("reused", "done", "failed")


class Board:
    """The lines of a suite, by cell key."""

    def __init__(
        self,
        labels: Mapping[str, str],
        concurrent: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lines = {key: Line(label) for key, label in labels.items()}
        self.concurrent, self._clock = concurrent, clock

    def enter(self, key: str, phase: Phase, reason: str = "") -> None:
        """Put a cell into a phase, from its beginning."""
        line, now = self.lines[key], self._clock()
        if line.phase in ("train", "evaluate"):
            line.seconds[line.phase] = now - line.since
        line.phase, line.since, line.reason = phase, now, reason
        line.fraction = line.fraction_at_first = 0.0

    def report(self, key: str, row: Mapping[str, Any]) -> None:
        """Take in a report of a running cell."""
        line, phase = self.lines[key], row["phase"]
        said = row.get("reason") or row.get("note") or ""
        if phase != line.phase:
            self.enter(key, phase, said)
            line.fraction_at_first = row.get("fraction", 0.0)
        line.reason = said or line.reason
        line.fraction = row.get("fraction", 0.0)
        line.loss = (row.get("metrics") or {}).get("train/loss", line.loss)
        if row.get("seconds"):
            line.samples_per_second = row["samples"] / row["seconds"]

    def count(self, *phases: Phase) -> int:
        """Return how many cells are in one of the phases."""
        return sum(line.phase in phases for line in self.lines.values())

    def cell_seconds_left(self, key: str) -> float | None:
        """Return the time that a running cell will still take; None while nobody knows."""
        line = self.lines[key]
        gained, spent = line.fraction - line.fraction_at_first, self._clock() - line.since
        if line.phase not in ("train", "evaluate") or gained <= 0:
            return None
        rest = spent * (1 - line.fraction) / gained
        return rest + (self._evaluation_share() * spent / gained if line.phase == "train" else 0)

    def seconds_left(self) -> float | None:
        """Return the time that the suite will still take; None while nobody knows.

        A cell that waits is taken to need what the others of this run need on average.
        """
        active = [key for key, line in self.lines.items() if not line.over]
        rest = [self.cell_seconds_left(key) for key in active]
        known = [seconds for seconds in rest if seconds is not None]
        whole = [seconds for seconds in map(self._whole, self.lines) if seconds is not None]
        if len(known) < len(active) and not whole:
            return None
        unknown = len(active) - len(known)
        work = sum(known) + (unknown * sum(whole) / len(whole) if unknown else 0.0)
        return max([work / max(1, min(self.concurrent, len(active))), *known])

    def _whole(self, key: str) -> float | None:
        """Return what a cell takes from its beginning to its end, if that can be told."""
        line = self.lines[key]
        if line.phase == "done":
            return sum(line.seconds.values()) or None
        left = self.cell_seconds_left(key)
        if left is None:
            return None
        gained, spent = line.fraction - line.fraction_at_first, self._clock() - line.since
        if line.phase == "train":
            return spent / gained * (1 + self._evaluation_share())
        return line.seconds.get("train", 0.0) + spent / gained

    def _evaluation_share(self) -> float:
        done = [
            line.seconds.get("evaluate", 0.0) / line.seconds["train"]
            for line in self.lines.values()
            if line.phase == "done" and line.seconds.get("train", 0) > 0
        ]
        return sum(done) / len(done) if done else EVALUATION_SHARE


def duration(seconds: float | None) -> str:
    """Return a duration as people say it: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
