"""A suite's progress, shown: a live table on a terminal, plain lines in a job's log."""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from assay.cluster.progress import Board, Line, duration

LINE_SECONDS = 30.0
STYLES = {"failed": "red", "done": "green", "reused": "green", "waiting": "dim"}
BARRED = ("data", "train", "evaluate")


def display(board: Board, console: Console) -> contextlib.AbstractContextManager[object]:
    """Return what suits the console: a table that lives, or lines that stay."""
    if console.is_terminal:
        return Live(get_renderable=lambda: table(board), console=console, refresh_per_second=2)
    return plain(board, console)


def table(board: Board) -> Table:
    """Return the board as a table, under a line about the whole suite."""
    shown = Table(title=total(board), title_style="bold", title_justify="left")
    shown.add_column("cell")
    shown.add_column("phase")
    shown.add_column("progress", min_width=22)
    for name in ("loss", "samples/s", "time left"):
        shown.add_column(name, justify="right")
    for key, line in board.lines.items():
        left = board.cell_seconds_left(key)
        if line.phase == "failed":
            middle: ProgressBar | Text = Text(line.reason, overflow="ellipsis", no_wrap=True)
        else:
            fraction = 1.0 if line.over else line.fraction if line.phase in BARRED else 0.0
            middle = ProgressBar(total=1.0, completed=fraction, width=22)
        shown.add_row(
            line.label,
            _phase(line),
            middle,
            "" if line.loss is None else f"{line.loss:.4f}",
            "" if line.samples_per_second is None else f"{line.samples_per_second:,.0f}",
            "" if left is None else duration(left),
        )
    return shown


def _phase(line: Line) -> Text:
    words = Text(line.phase, style=STYLES.get(line.phase, "bold"))
    if line.reason and line.phase != "failed":
        words.append(f"\n{line.reason}", style="dim")
    return words


def total(board: Board) -> str:
    """Return the line about the whole suite."""
    count = len(board.lines)
    over = board.count("done", "reused")
    words = [f"{over} of {count} cells finished"]
    for phase in ("reused", "failed"):
        if board.count(phase):
            words.append(f"{board.count(phase)} {phase}")
    if over + board.count("failed") < count:
        left = board.seconds_left()
        words.append("time left not yet known" if left is None else f"about {duration(left)} left")
    return " · ".join(words)


@contextlib.contextmanager
def plain(board: Board, console: Console) -> Iterator[None]:
    """Print a line at every change of phase, and of every running cell each half minute."""
    stop = threading.Event()
    printer = _Printer(board, console)

    def follow() -> None:
        while not stop.wait(0.5):
            printer.look()

    thread = threading.Thread(target=follow, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        printer.look()
        printer.sum_up()


class _Printer:
    def __init__(self, board: Board, console: Console) -> None:
        self._board, self._console = board, console
        self._last_total = ""
        self._seen = {key: (line.phase, 0.0) for key, line in board.lines.items()}

    def look(self) -> None:
        summary_is_due = False
        for key, line in self._board.lines.items():
            phase, at = self._seen[key]
            stale = line.phase in BARRED and time.monotonic() - at >= LINE_SECONDS
            if line.phase != phase or stale:
                self._seen[key] = (line.phase, time.monotonic())
                self._print(describe(line, self._board.cell_seconds_left(key)))
                summary_is_due |= line.phase == phase or line.over
        if summary_is_due:
            self.sum_up()

    def sum_up(self) -> None:
        words = total(self._board)
        if words != self._last_total:
            self._last_total = words
            self._print(words)

    def _print(self, words: str) -> None:
        self._console.print(words, highlight=False, markup=False, soft_wrap=True)


def describe(line: Line, seconds_left: float | None) -> str:
    """Return a cell as one line of a log."""
    words = [f"{line.label}: {line.phase}"]
    if line.phase in BARRED and line.fraction > 0:
        words.append(f"{line.fraction:.0%}")
    if line.phase in ("train", "evaluate") and line.loss is not None:
        words.append(f"loss {line.loss:.4f}")
    if line.phase == "train" and line.samples_per_second is not None:
        words.append(f"{line.samples_per_second:,.0f} samples/s")
    if seconds_left is not None:
        words.append(f"{duration(seconds_left)} left")
    if line.reason:
        words.append(line.reason)
    return ", ".join(words)
