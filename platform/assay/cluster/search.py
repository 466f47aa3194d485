"""A suite's search: a study for each variant, run to its last trial, and what was found.

The Optuna database and the run store are the only state. The same command goes on: trials that
ended count, those that were begun are taken up with the same settings, cells that are finished
are reused.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from optuna.trial import TrialState
from rich.console import Console

import assay
from assay import provenance
from assay.cell import Suite
from assay.cluster import preflight, publish, session
from assay.cluster.display import display
from assay.cluster.orders import Orders, forwarded
from assay.cluster.progress import Board
from assay.cluster.search_outcome import record, write_best
from assay.cluster.search_trial import SearchOrders, trial_tags
from assay.cluster.search_tune import run_study
from assay.cluster.stopping import rungs
from assay.cluster.storage import require_writable
from assay.cluster.study import Database, VariantStudy, locked, search_of, study_name
from assay.cluster.trials import concurrent_cells
from assay.errors import AssayError, ConfigError
from assay.result import write_json
from assay.runner import finished
from assay.search import SearchRecord, StudyRecord
from assay.store import sets
from assay.tracking import Destination, Tracker
from assay.training.execution import Execution


@dataclass(frozen=True)
class SearchOptions:
    """How a search is run, not what it is."""

    results: Path | None = None
    """Where its record and its best suites go; `<storage>/results/<suite>` by default."""
    optuna_storage: str | None = None
    """URL of the database; `$ASSAY_OPTUNA_STORAGE`, else SQLite in the run store by default."""
    fresh: bool = False
    """Begin new studies and compute their cells again."""
    max_concurrent: int | None = None
    dashboard_port: int | None = None
    checkpoint_seconds: float = 60.0
    """Least time between two checkpoints of a cell."""


@dataclass(frozen=True)
class SearchOutcome:
    """What became of a search."""

    record: SearchRecord
    folder: Path
    """Where the record is written, as `search.json`."""
    best: list[Path]
    """Suites with the best settings, to be run on new seeds."""
    fault: AssayError | None
    """What ended it early; the same command goes on."""
    tracked: Destination
    how_to_open: str
    """What a person types to see the studies."""


@dataclass
class _Work:
    suite: Suite
    storage: Path
    options: SearchOptions
    console: Console
    database: Database
    folder: Path
    tracked: Destination
    digest: str
    studies: list[VariantStudy] = field(default_factory=list)


def run_search(
    suite: Suite, storage: Path, options: SearchOptions, console: Console
) -> SearchOutcome:
    """Run a suite's search to its record.

    A setting that fails stops no other one. A fault that every setting would meet ends the
    search; it is in the outcome, with what was found until then.

    Raises:
        AssayError: the suite, the data, the storage, the database or the cluster is not fit to
            start, or another driver has one of the studies.
        KeyboardInterrupt: Ctrl-C or `ray job stop`; everything is left so that the same command
            goes on, and nothing is left RUNNING.
    """
    work = _prepare(suite, storage, options, console)
    store = work.database.store
    names = [study_name(suite, variant, work.digest, store) for variant in suite.variants()]
    tracker = Tracker(work.tracked, storage)
    fault: AssayError | None = None
    status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
    with contextlib.ExitStack() as held:
        for name in names:
            held.enter_context(locked(work.database, name))
        try:
            _open_studies(work)
            try:
                _compute(work, tracker)
                status = "FINISHED"
            except AssayError as error:
                fault = error
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            with session.uninterrupted():
                tracker.end(status)
        return _outcome(work, fault)


def _prepare(suite: Suite, storage: Path, options: SearchOptions, console: Console) -> _Work:
    search_of(suite)
    if suite.resources.most_workers > 1 or suite.evaluation is not None:
        raise ConfigError(
            f"suite {suite.name}: a search runs each cell with one worker, which also evaluates "
            "it: --set resources.workers=1 and leave out evaluation"
        )
    preflight.require_installed_version(Path.cwd())
    require_writable(storage)
    packed = sets.prepare(suite.data)
    folder = (options.results or publish.default_folder(storage, suite.name)).absolute()
    commit, _ = provenance.git_state()
    found = {"assay.git_commit": commit, "assay.ray_job_id": session.job_id()}
    tags = {name: value for name, value in found.items() if value is not None}
    tracked = Destination.of(storage, suite.name, suite.title, tags)
    database = Database(options.optuna_storage, storage)
    return _Work(suite, storage, options, console, database, folder, tracked, packed.digest)


def _open_studies(work: _Work) -> None:
    for variant in work.suite.variants():
        study = VariantStudy(
            work.suite, variant, work.digest, work.storage, work.database, fresh=work.options.fresh
        )
        work.studies.append(study)


def _compute(work: _Work, tracker: Tracker) -> None:
    pending = [study for study in work.studies if study.left]
    with contextlib.ExitStack() as stack:
        if pending:
            where = stack.enter_context(session.connect(work.options.dashboard_port))
            work.console.print(f"Connected to {where}", highlight=False, soft_wrap=True)
            preflight.require_cluster(work.suite)
        stack.enter_context(session.stoppable())  # after Ray, which sets a handler of its own
        tracker.begin()
        for study in pending:
            _run(work, study, tracker)
        tags = _of_complete_trials(work)
        tracker.mirror(tags, tags)


def _of_complete_trials(work: _Work) -> dict[str, dict[str, str]]:
    """Return the tags of finished cells, by key: what MLflow missed of them is made up for."""
    found: dict[str, dict[str, str]] = {}
    for study in work.studies:
        for trial in study.trials:
            if trial.state == TrialState.COMPLETE:
                tags = trial_tags(study.name, trial.number)
                found |= dict.fromkeys(trial.user_attrs.get("cells", {}).values(), tags)
    return {key: tags for key, tags in found.items() if finished(work.storage, key)}


def _run(work: _Work, study: VariantStudy, tracker: Tracker) -> None:
    suite, search = work.suite, study.search
    resources = suite.resources
    common = Orders(
        storage=work.storage,
        execution=Execution(
            device=suite.device,
            threads=resources.cpus,
            checkpoint_seconds=work.options.checkpoint_seconds,
        ),
        resources=resources,
        evaluation=None,
        destination=work.tracked,
        fresh=False,
        environment=forwarded(),
    )
    orders = SearchOrders(common, rungs(search, suite.budget), search.watched)
    count = max(search.total, len(study.trials))
    concurrent = min(concurrent_cells(suite, work.options.max_concurrent), count)
    board = Board({str(number): f"trial {number}" for number in range(count)}, concurrent)
    for trial in study.trials:
        if trial.state.is_finished():
            board.enter(str(trial.number), "reused")
    work.console.print(f"{study.name}: {study.left} of {count} trials to run", highlight=False)

    def on_stop(keys: list[str], reason: str) -> None:
        for key in keys:
            tracker.stop(key, reason)

    with display(board, work.console):
        run_study(study, orders, board, on_stop)


def _outcome(work: _Work, fault: AssayError | None) -> SearchOutcome:
    found: list[StudyRecord] = []
    for study in work.studies:
        try:
            found.append(record(study))
        except AssayError as error:
            fault = fault or error
    made = SearchRecord(
        suite=work.suite.model_dump(mode="json"),
        studies=found,
        provenance=_provenance(work),
    )
    write_json(work.folder / "search.json", made)
    readable = len(found) == len(work.studies)  # if not, what was written before stays
    return SearchOutcome(
        record=made,
        folder=work.folder,
        best=write_best(work.suite, found, work.folder) if readable else [],
        fault=fault,
        tracked=work.tracked,
        how_to_open=work.database.how_to_open,
    )


def _provenance(work: _Work) -> dict[str, Any]:
    commit, dirty = provenance.git_state()
    return {
        "assay_version": assay.__version__,
        "code_digest": provenance.code_digest(),
        "git_commit": commit,
        "git_dirty": dirty,
        "packages": provenance.package_versions(),
        "data_digest": work.digest,
        "optuna_storage": work.database.shown,
        "concurrent": work.options.max_concurrent,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "ray_job_id": session.job_id(),
    }
