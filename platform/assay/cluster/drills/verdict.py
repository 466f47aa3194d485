"""What became of a drill: one record, shown as a table, kept as JSON, printed as Markdown."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from assay.config import Settings
from assay.result import write_json


class Verdict(Settings):
    """The account of one drill; every count is 0 where the promise is kept."""

    drill: str
    fault: str
    injected: int
    """How often the fault was injected."""
    cells: int
    """That should have a result at the end."""
    lost: int
    """Results that are not there, or do not verify."""
    duplicated: int
    """Results, published files or MLflow runs that are there twice."""
    recomputed: int
    """Finished cells whose result was written a second time."""
    left_running: int
    """MLflow runs that are still RUNNING."""
    deviation: float
    """Greatest relative difference to the undisturbed run in metrics and curves."""
    bit_equal: bool
    """Metrics, curves, cost and the last checkpoint's tensors."""
    recovery_seconds: float | None
    """The slowest, from the fault or the repeated command until the cell is past the step that it
    had reached; None where the fault stops nothing."""
    seconds: float
    """The whole drill, without the undisturbed run."""
    remark: str = ""
    broken: tuple[str, ...] = ()
    """A sentence for every promise that was broken."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken


class Skipped(Settings):
    """A drill that this machine cannot do, and why."""

    drill: str
    reason: str


def table(outcomes: Sequence[Verdict | Skipped]) -> Table:
    """Return the account of several drills for a terminal."""
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("drill", no_wrap=True)
    for name in ("times", "lost", "twice", "again", "running", "deviation", "recovery", "total"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("promise")
    for verdict in outcomes:
        if isinstance(verdict, Skipped):
            shown.add_row(verdict.drill, *[""] * 8, "skipped", style="dim")
            continue
        counts = (verdict.injected, verdict.lost, verdict.duplicated, verdict.recomputed)
        shown.add_row(
            verdict.drill,
            *map(str, counts),
            str(verdict.left_running),
            _deviation(verdict),
            _seconds(verdict.recovery_seconds),
            _seconds(verdict.seconds),
            "[green]kept[/]" if verdict.kept else "[red]broken[/]",
        )
    return shown


def write(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Write verdicts as a JSON list."""
    write_json(path, [verdict.model_dump(mode="json") for verdict in verdicts])


def markdown(verdicts: Iterable[Verdict]) -> str:
    """Return the table of `docs/reliability.md`."""
    lines = [
        "| fault | drill | times injected | results lost | twice or again | left RUNNING "
        "| against the undisturbed run | seconds to recover |",
        "|---|---|--:|--:|--:|--:|---|--:|",
    ]
    for each in verdicts:
        fields = (
            each.fault, f"`{each.drill}`", each.injected, each.lost,
            each.duplicated + each.recomputed, each.left_running, _deviation(each),
            _seconds(each.recovery_seconds),
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, fields)) + " |")
    return "\n".join(lines)


def _deviation(verdict: Verdict) -> str:
    return "bit-equal" if verdict.bit_equal else f"{verdict.deviation:.1e}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
