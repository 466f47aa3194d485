"""A progress bar for one cell, for whoever sits before a terminal."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from assay.runner import Report, Watch


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Watch]:
    """Yield a `watch` that shows phase, loss, throughput and the time left."""
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("data", total=1.0, note="")
        phase, loss = "data", ""

        def watch(report: Report) -> None:
            nonlocal phase, loss
            if report.phase != phase:
                phase = report.phase
                progress.reset(task, total=1.0, description=phase)
            if "train/loss" in report.metrics:
                loss = f", loss {report.metrics['train/loss']:.4f}"
            note = f"step {report.step:,}{loss}"
            if report.seconds:
                note += f", {report.samples / report.seconds:,.0f} samples/s"
            progress.update(task, completed=report.fraction, note=note)

        yield watch
