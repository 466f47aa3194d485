"""What the platform costs: Ray and MLflow beside the bare loop, on the same cells in one run.

    python benchmarks/orchestration.py [cells] [ladder] [logging] [resume] [memory]

One JSON line a question; all five without an argument:

cells    seconds that a one-worker cell takes more as a Tune trial than in the bare loop
ladder   share of its bare time that a ladder of many small cells takes more on Ray
logging  share of a training step that following it in MLflow costs
resume   seconds until a suite of 1,000 finished cells is recognised and published again
memory   bytes that the driver's memory grows by for each cell that finishes, or had finished
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from assay.cell import Cell, Suite, load_suite
from assay.cluster.grid import Options, run_suite
from assay.cluster.publish import default_folder
from assay.reference import compute_reference, write_reference
from assay.result import write_json
from assay.runner import Report, cell_directory, run_cell
from assay.store import sets
from assay.tracking import Destination, Recorder
from assay.training.execution import Execution

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"
SUITE, LADDER = SWEEPS / "grid_mini.yaml", SWEEPS / "scaling_mini.yaml"
FINISHED = 1000
LIVE = 300


def main(questions: list[str]) -> None:
    """Answer the questions, or all."""
    answers: dict[str, Callable[[Path], dict[str, Any]]] = {
        "cells": cost_of_a_cell,
        "ladder": cost_of_a_ladder,
        "logging": cost_of_logging,
        "resume": time_to_resume,
        "memory": growth_of_the_driver,
    }
    for question in questions or answers:
        with scratch() as folder:
            print(json.dumps({"question": question, **answers[question](folder)}), flush=True)


def cost_of_a_cell(folder: Path) -> dict[str, Any]:
    """Run the same cells in the bare loop and as Tune trials, one at a time, both with one thread.

    What Ray takes to start and to stop is shared out over the cells.
    """
    suite = mini(
        "budget={samples: 9600}", "seeds=[0, 1]", "grid.process=[flow_matching]",
        "settings.evaluation_samples=100",
    )  # fmt: skip
    cells = suite.cells(sets.prepare(suite.data).digest)
    write_reference(default_folder(folder / "ray", suite.name), compute_reference(cells[0]))
    started = time.perf_counter()
    for cell in cells:
        run_cell(cell, Execution(), folder / "bare", ignore)
    bare = (time.perf_counter() - started) / len(cells)
    started = time.perf_counter()
    run_suite(suite, folder / "ray", Options(max_concurrent=1), quiet())
    on_ray = (time.perf_counter() - started) / len(cells)
    return {
        "cells": len(cells),
        "bare_seconds_a_cell": round(bare, 2),
        "ray_seconds_a_cell": round(on_ray, 2),
        "added_seconds_a_cell": round(on_ray - bare, 2),
        "permitted_seconds_a_cell": round(5 + 0.03 * bare, 2),
    }


def cost_of_a_ladder(folder: Path) -> dict[str, Any]:
    """Run the mini ladder's cells in the bare loop and on Ray, one at a time, with one thread.

    Both begin larger budgets where smaller ones cool down. On Ray an actor takes one cell after
    another, so that what a process imports, maps and compiles is there for all; its start, the
    board, MLflow and publishing are on Ray's side only.
    """
    suite = load_suite(LADDER)
    cells = suite.cells(sets.prepare(suite.data).digest)
    write_reference(default_folder(folder / "ray", suite.name), compute_reference(cells[0]))
    started = time.perf_counter()
    for cell in cells:
        run_cell(cell, Execution(), folder / "bare", ignore)
    bare = time.perf_counter() - started
    started = time.perf_counter()
    run_suite(suite, folder / "ray", Options(max_concurrent=1), quiet())
    on_ray = time.perf_counter() - started
    return {
        "cells": len(cells),
        "bare_seconds": round(bare, 1),
        "ray_seconds": round(on_ray, 1),
        "added_share": round(on_ray / bare - 1, 4),
        "permitted_share": 0.1,
    }


def cost_of_logging(folder: Path) -> dict[str, Any]:
    """Train a cell with and without a recorder; compare what other threads than training's use.

    CPU time of the process beside that of the training thread, from 30 % of the budget to its end:
    what a run takes to begin and to end, once a cell, is not part of a step. Wall time of steps
    differs by more than what is looked for.
    """
    suite = mini("budget={samples: 9600}", "settings.evaluation_samples=1")
    (cell, *_) = suite.cells(sets.prepare(suite.data).digest)
    shares = {
        name: share_of_other_threads(cell, folder / name, recorded=name == "recorded")
        for name in ("plain", "recorded")
    }
    return {
        **{f"{name}_share": round(share, 5) for name, share in shares.items()},
        "added_share_of_a_step": round(shares["recorded"] - shares["plain"], 5),
        "permitted": 0.01,
    }


def share_of_other_threads(cell: Cell, storage: Path, *, recorded: bool) -> float:
    """Return CPU time of the other threads of this process over that of the one that trains."""
    destination = Destination.of(storage, "logging", "What logging costs")
    recorder = Recorder(destination, cell, cell_directory(storage, cell.key))
    clocks: list[tuple[float, float]] = []

    def watch(report: Report) -> None:
        if recorded:
            recorder.watch(report)
        if report.phase == "train" and report.fraction >= 0.3:
            clocks.append((time.process_time(), time.thread_time()))

    run_cell(cell, Execution(), storage, watch)
    recorder.complete()
    (process_begin, thread_begin), (process_end, thread_end) = clocks[0], clocks[-1]
    mine = thread_end - thread_begin
    return (process_end - process_begin - mine) / mine


def time_to_resume(folder: Path) -> dict[str, Any]:
    """Recognise a suite of 1,000 finished cells, from the command to its published results.

    The first time each cell is shown to an empty MLflow, which takes most of the time; a suite
    that was run before is there already, and what resuming it takes is the second figure.
    """
    suite = many(FINISHED)
    pretend_finished(suite, folder)
    figures = {}
    for name in ("into_empty_mlflow", "again"):
        started = time.perf_counter()
        outcome = run_suite(suite, folder, Options(), quiet())
        figures[f"{name}_seconds"] = round(time.perf_counter() - started, 2)
        assert outcome.reused == FINISHED, outcome
    return {"cells": FINISHED, **figures, "permitted_seconds": 10.0}


def growth_of_the_driver(folder: Path) -> dict[str, Any]:
    """Compare the driver's memory after few and after many cells: trained now, and finished before.

    Of the cells that are trained now, the slope is that of a line through the second half, when
    everything is imported and every buffer has its size.
    """
    points = memory_while_cells_finish(folder / "live", LIVE)
    settled = points[len(points) // 2 :]
    (a_cell, _) = np.polyfit(*np.array(settled).T, deg=1)
    resident = {}
    for count in (10, FINISHED):
        suite = many(count)
        pretend_finished(suite, folder / str(count))
        run_suite(suite, folder / str(count), Options(), quiet())
        resident[count] = psutil.Process().memory_info().rss
    reused = (resident[FINISHED] - resident[10]) / (FINISHED - 10)
    return {
        "cells_trained": LIVE,
        "resident_mib": [settled[0][1] >> 20, settled[-1][1] >> 20],
        "bytes_a_cell_trained": round(a_cell),
        "cells_reused": FINISHED,
        "resident_mib_reused": {k: v >> 20 for k, v in resident.items()},
        "bytes_a_cell_reused": round(reused),
    }


def memory_while_cells_finish(storage: Path, count: int) -> list[tuple[int, int]]:
    """Train so many cells on Ray; return (cells finished, bytes of this process) as they end."""
    suite, points, over = many(count), [], threading.Event()
    driver = psutil.Process()

    def sample() -> None:
        while not over.wait(0.5):
            done = sum(1 for _ in storage.glob("cells/*/result.json"))
            if done and (not points or done > points[-1][0]):
                points.append((done, driver.memory_info().rss))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        outcome = run_suite(suite, storage, Options(), quiet())
    finally:
        over.set()
        sampler.join()
    assert outcome.finished == count, outcome
    return points


def mini(*overrides: str) -> Suite:
    """Return the mini suite with other settings."""
    return load_suite(SUITE, overrides)


def many(count: int) -> Suite:
    """Return a suite of so many cells."""
    return mini(
        "grid={architecture: [gnn], process: [diffusion]}",
        f"seeds={list(range(count))}",
        "budget={steps: 1}",
        "training={batch_size: 8, validations: 0}",
        "settings={network: {size: xs}, process: {steps: 4}, evaluation_samples: 1}",
    )


def pretend_finished(suite: Suite, storage: Path) -> None:
    """Write the results of all cells of a suite, after the pattern of one that was run."""
    first, *others = suite.cells(sets.prepare(suite.data).digest)
    result = run_cell(first, Execution(), storage, ignore)
    source = cell_directory(storage, first.key)
    for cell in others:
        directory = cell_directory(storage, cell.key)
        directory.mkdir()
        provenance = result.provenance.model_copy(update={"cell_key": cell.key})
        changes = {"cell": cell.model_dump(mode="json"), "provenance": provenance}
        write_json(directory / "result.json", result.model_copy(update=changes))
        shutil.copy(source / "metrics.jsonl", directory)
        shutil.copytree(source / "artifacts", directory / "artifacts")
    write_reference(default_folder(storage, suite.name), compute_reference(first))


def ignore(report: Report) -> None:
    """Watch nothing."""


def quiet() -> Console:
    """Return a console that nobody reads, and that keeps nothing."""
    return Console(file=Path(os.devnull).open("w"))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="assay-orchestration-") as name:
        yield Path(name)


if __name__ == "__main__":
    main(sys.argv[1:])
