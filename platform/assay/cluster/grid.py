"""A suite on Ray Tune: finished cells are reused, the others are trials, the files are the state.

Tune keeps no state of ours: the same command carries on, because each cell resumes from its own
checkpoint and a finished one is recognised by its result.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console

from assay import provenance
from assay.cell import Cell, Suite
from assay.cluster import preflight, publish, session
from assay.cluster.display import display
from assay.cluster.orders import Orders, forwarded
from assay.cluster.progress import Board
from assay.cluster.reference import reference_on_cluster
from assay.cluster.storage import open_to_everyone, require_writable
from assay.cluster.trials import concurrent_cells, run_trials
from assay.config import choose
from assay.errors import MachineError
from assay.reference import cached_reference, write_reference
from assay.result import Failure, FailureKind, write_json
from assay.runner import cell_directory, finished, set_aside
from assay.store import sets
from assay.tracking import Destination, Tracker
from assay.training.execution import Execution


@dataclass(frozen=True)
class Options:
    """How a suite is run, not what it is."""

    results: Path | None = None
    """The published folder; `<storage>/results/<suite>` by default."""
    only: tuple[str, ...] = ()
    """Labels of the cells to run, such as `gnn-diffusion`; all by default."""
    fresh: bool = False
    """Compute again what is finished."""
    max_concurrent: int | None = None
    dashboard_port: int | None = None
    checkpoint_seconds: float = 60.0
    """Least time between two checkpoints of a cell."""


@dataclass(frozen=True)
class SuiteOutcome:
    """What became of a suite."""

    finished: int
    """Cells of the suite with a result, now and before."""
    folder: Path
    """Where the results are published, beside the reference row."""
    reused: int
    failures: Mapping[str, str]
    """Reason by label and seed, of the cells that ended without a result."""
    tracked: Destination


@dataclass
class _Work:
    suite: Suite
    storage: Path
    options: Options
    console: Console
    cells: tuple[Cell, ...]
    names: Mapping[str, str]
    """By key."""
    folder: Path
    tracked: Destination
    reused: list[Cell]
    pending: list[Cell]
    failures: dict[str, str] = field(default_factory=dict)


def run_suite(suite: Suite, storage: Path, options: Options, console: Console) -> SuiteOutcome:
    """Run a suite to its published folder.

    One cell's failure never stops the others; it is listed in the outcome, and its folder in the
    run store holds `failure.json`.

    Raises:
        AssayError: the suite, the data, the storage or the cluster is not fit to start.
        KeyboardInterrupt: Ctrl-C or `ray job stop`; everything is left so that the same command
            carries on, and no MLflow run is left RUNNING.
    """
    work = _prepare(suite, storage, options, console)
    tracker = Tracker(work.tracked, storage)
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
    try:
        count = _compute(work, tracker)
        status = "FAILED" if work.failures else "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with session.uninterrupted():
            tracker.end(status)
    return SuiteOutcome(
        finished=count,
        folder=work.folder,
        reused=len(work.reused),
        failures=work.failures,
        tracked=work.tracked,
    )


def _prepare(suite: Suite, storage: Path, options: Options, console: Console) -> _Work:
    preflight.require_installed_version(Path.cwd())
    require_writable(storage)
    remark = open_to_everyone(storage)
    if remark:
        console.print(remark, highlight=False, soft_wrap=True)
    packed = sets.prepare(suite.data)
    named = suite.named_cells(packed.digest, suite.device)
    cells = tuple(named.values())
    labels = dict.fromkeys(cell.label for cell in cells)
    only = {choose("cell", label, labels) for label in options.only}
    folder = (options.results or publish.default_folder(storage, suite.name)).absolute()
    publish.require_no_strangers(folder, [cell.key for cell in cells], storage)
    commit, _ = provenance.git_state()
    found = {"assay.git_commit": commit, "assay.ray_job_id": session.job_id()}
    tags = {name: value for name, value in found.items() if value is not None}
    tracked = Destination.of(storage, suite.name, suite.title, tags)
    names = {cell.key: name for name, cell in named.items()}
    work = _Work(suite, storage, options, console, cells, names, folder, tracked, [], [])
    for cell in cells:
        if not only or cell.label in only:
            done = not options.fresh and finished(storage, cell.key) is not None
            (work.reused if done else work.pending).append(cell)
    return work


def _compute(work: _Work, tracker: Tracker) -> int:
    reference = cached_reference(work.folder, work.cells[0])
    with contextlib.ExitStack() as stack:
        if work.pending or reference is None:
            where = stack.enter_context(session.connect(work.options.dashboard_port))
            work.console.print(f"Connected to {where}", highlight=False, soft_wrap=True)
            preflight.require_cluster(work.suite)
        stack.enter_context(session.stoppable())  # after Ray, which sets a handler of its own
        tracker.begin()
        tracker.mirror(cell.key for cell in work.reused)
        if work.reused:
            some = f"{len(work.reused)} of {len(work.reused) + len(work.pending)} cells"
            work.console.print(f"{some} are finished already and reused", highlight=False)
        if work.pending:
            _run_pending(work, tracker)
            done = (c.key for c in work.pending if finished(work.storage, c.key))
            tracker.mirror(done)
        # Before the data's row, which may fail: what is finished is published whatever comes.
        keys = [cell.key for cell in work.cells]
        count = publish.publish(work.suite, keys, work.storage, work.folder)
        if reference is None:
            reference = reference_on_cluster(work.suite, work.cells[0], forwarded())
            write_reference(work.folder, reference)
        publish.write_cards(keys, work.folder)
    return count


def _run_pending(work: _Work, tracker: Tracker) -> None:
    cells = {cell.key: cell for cell in work.pending}

    def on_failure(key: str, reason: str, kind: FailureKind) -> None:
        cell = cells[key]
        plain = cell.model_dump(mode="json")
        work.failures[work.names[key]] = reason
        failure = Failure(cell=plain, reason=reason, kind=kind)
        with contextlib.suppress(MachineError):  # a full disk may be why; the outcome names it
            write_json(cell_directory(work.storage, key) / "failure.json", failure)
        tracker.fail(plain, key, reason)

    if work.options.fresh:
        set_aside(work.pending, work.storage)
    resources = work.suite.resources
    orders = Orders(
        storage=work.storage,
        execution=Execution(
            device=work.suite.device,
            threads=resources.cpus,
            checkpoint_seconds=work.options.checkpoint_seconds,
            workers=resources.most_workers,
            sharding=resources.sharding,
        ),
        resources=resources,
        evaluation=work.suite.evaluates_apart,
        destination=work.tracked,
        fresh=work.options.fresh,
        environment=forwarded(),
    )
    names = {cell.key: work.names[cell.key] for cell in (*work.reused, *work.pending)}
    board = Board(names, concurrent_cells(work.suite, work.options.max_concurrent))
    for cell in work.reused:
        board.enter(cell.key, "reused")
    with display(board, work.console):
        run_trials(work.suite, work.pending, orders, board, on_failure)
