"""The trials of one variant, kept in an Optuna database: proposed, told, taken up again.

The database and the run store are the whole state of a search. Optuna's WAITING marks a trial
that was begun and must go on; RUNNING, one that a living driver works on.
"""

import os
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from assay.cell import Cell, Suite
from assay.cluster.sampling import distributions, sampler
from assay.cluster.storage import lasting
from assay.config import digest16
from assay.errors import ConfigError, MachineError
from assay.redact import scrubbed, without_secrets
from assay.result import write_bytes
from assay.runner import cell_directory, set_aside
from assay.search import Search

BUSY_SECONDS = 60
"""How long SQLite waits for another writer."""
optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def reached() -> Iterator[None]:
    """Say in one sentence that the database cannot be reached; also a decorator.

    Raises:
        MachineError: it cannot.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        fault = " ".join(str(getattr(cause, "orig", None) or cause).split())[:200]
        raise MachineError(
            f"Optuna's database cannot be used ({type(error).__name__}: {fault}): what is trained "
            "is kept; the same command goes on when it is back"
        ) from error


@dataclass(frozen=True)
class Proposal:
    """A setting to try: its trial and its cells, one a seed."""

    number: int
    cells: tuple[Cell, ...]
    known: Mapping[int, float]
    """What the scheduler saw of this setting before, by per cent of the budget."""
    set_aside: tuple[str, ...]
    """Keys of cells that are computed again."""


class Database:
    """The database that holds studies, here or on a server."""

    def __init__(self, url: str | None, storage: Path) -> None:
        """Open or create it.

        Args:
            url: SQLAlchemy's; by default `$ASSAY_OPTUNA_STORAGE`, else `<storage>/optuna.db`.
            storage: The run store.

        Raises:
            MachineError: it cannot be opened; no password is shown. It is a file that would lie in
                a Ray job's temporary copy of the repository.
        """
        default = f"sqlite:///{storage.absolute()}/optuna.db"
        self.url = url or os.environ.get("ASSAY_OPTUNA_STORAGE") or default
        self.locks = storage / "search"
        self.locks.mkdir(parents=True, exist_ok=True)
        self.shown = without_secrets(self.url)
        try:
            parts = make_url(self.url)
            sqlite = parts.get_backend_name() == "sqlite"
            if sqlite and parts.database:
                lasting(Path(parts.database), Path.cwd())
            patience = {"connect_args": {"timeout": BUSY_SECONDS}} if sqlite else None
            with FileLock(self.locks / "database.lock"):  # two that make tables disturb each other
                self.rdb = RDBStorage(self.url, engine_kwargs=patience)
                self.store = _name_of_store(self.locks / "store")
        except (SQLAlchemyError, ImportError, RuntimeError, ValueError) as error:
            fault = " ".join(scrubbed(str(getattr(error, "orig", None) or error), self.url).split())
            raise MachineError(
                f"{self.shown}: cannot be opened as Optuna's database ({type(error).__name__}: "
                f"{fault[:200]}); give another --optuna-storage, such as sqlite:////data/optuna.db"
            ) from error

    @property
    def how_to_open(self) -> str:
        """What a person types to see the studies."""
        return f"optuna-dashboard --host 127.0.0.1 {self.shown}"


def _name_of_store(path: Path) -> str:
    """Return what names a run store wherever it is moved; made at the first call."""
    if not path.exists():
        write_bytes(path, uuid.uuid4().hex.encode())
    return path.read_text()


def study_name(suite: Suite, variant: Mapping[str, str], digest: str, store: str) -> str:
    """Return the name of a variant's study: equal for whatever may go on in it.

    Its last part is a digest of all that decides the figures: the space, the objectives, the
    seeds, the data; the resources too where the budget is in seconds. More trials go on in the
    same study; anything else begins a new one. So does another run store, though the database be
    the same: it holds other cells, and other locks, so that two drivers would have one study.
    """
    search = search_of(suite).model_dump(mode="json", exclude={"trials"})
    plain = suite.model_dump(
        mode="json", include={"family", "budget", "training", "settings", "rules", "seeds"}
    )
    plain |= {"search": search, "variant": dict(variant), "data": digest, "store": store}
    if suite.budget.unit == "seconds":
        plain["resources"] = suite.resources.model_dump(mode="json")
    identity = digest16(plain)
    return f"{suite.name} {'-'.join(variant.values())} {identity[:8]}"


@contextmanager
def locked(database: Database, name: str) -> Iterator[None]:
    """Hold a study for this driver alone.

    Raises:
        MachineError: another driver has it.
    """
    path = database.locks / f"{name.replace(' ', '.')}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MachineError(
            f"study {name!r} is being searched by another process (lock {path}): wait for it"
        ) from error
    try:
        yield
    finally:
        lock.release()


class VariantStudy:
    """One variant's study, open for the driver that holds its lock."""

    @reached()
    def __init__(
        self,
        suite: Suite,
        variant: dict[str, str],
        digest: str,
        storage: Path,
        database: Database,
        *,
        fresh: bool = False,
    ) -> None:
        """Open the study, and put what a dead driver left RUNNING back to WAITING.

        Args:
            suite: With its `search`.
            variant: A point of its grid.
            digest: Of the data set.
            storage: The run store.
            database: Where the study is.
            fresh: Begin a new study; the old one stays under a dated name, and so do its cells.

        Raises:
            MachineError: the database cannot be reached, here as in whatever else uses it.
        """
        self.suite, self.variant, self.digest = suite, variant, digest
        self.search, self.storage = search_of(suite), storage
        self._rdb = database.rdb
        self.name = study_name(suite, variant, digest, database.store)
        if fresh:
            self._keep_under_a_dated_name()
        directions = {"higher": StudyDirection.MAXIMIZE, "lower": StudyDirection.MINIMIZE}
        self.study = optuna.create_study(
            study_name=self.name,
            storage=self._rdb,
            sampler=sampler(self.search),
            directions=[directions[o.better] for o in self.search.objectives],
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # names are only for people
            self.study.set_metric_names([o.metric for o in self.search.objectives])
        if fresh:
            self.study.set_user_attr("fresh", True)
        self.release()

    @property
    @reached()
    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    @property
    @reached()
    def front(self) -> list[int]:
        """Numbers of the trials that no other one beats in every objective."""
        return sorted(trial.number for trial in self.study.best_trials)

    @property
    @reached()
    def left(self) -> int:
        """How many trials have not come to an end."""
        return max(self.search.total, len(self.trials)) - sum(
            trial.state.is_finished() for trial in self.trials
        )

    @reached()
    def propose(self) -> Proposal | None:
        """Return the next setting: one that was begun before, else a new one; None if all are.

        A setting that makes no valid cell is a failed trial.

        Raises:
            MachineError: a cell that must be computed again is in use.
        """
        while True:
            waiting = any(trial.state == TrialState.WAITING for trial in self.trials)
            if not waiting and len(self.trials) >= self.search.total:
                return None
            trial = self.study.ask(distributions(self.search.space))
            try:
                cells = self.suite.setting(
                    self.variant, trial.params, self.digest, self.suite.device
                )
            except ConfigError as error:
                self.fail(trial.number, str(error))
                continue
            keys = [cell.key for cell in cells]
            aside = self._set_aside(cells)
            trial.set_user_attr("cells", dict(zip(map(str, self.suite.seeds), keys, strict=True)))
            return Proposal(trial.number, cells, self._known(keys), aside)

    @reached()
    def seen(self, number: int) -> dict[int, float]:
        """Return what the scheduler saw of a trial, by per cent of the budget."""
        found = self.trials[number].intermediate_values
        return {percent: self._sign * found[percent] for percent in sorted(found)}

    @reached()
    def saw(self, number: int, percent: int, value: float) -> None:
        """Keep what the scheduler sees, so that a resumed search can show it to it again.

        Optuna ranks stopped trials by it in the direction of the objective: a figure that is
        better the other way is kept with the other sign.
        """
        self._rdb.set_trial_intermediate_value(self._id(number), percent, self._sign * value)

    @reached()
    def complete(self, number: int, values: list[float]) -> None:
        """End a trial with the values of its objectives."""
        self.study.tell(number, values)

    @reached()
    def stop(self, number: int, reason: str) -> None:
        """End a trial that the scheduler stopped."""
        self._rdb.set_trial_user_attr(self._id(number), "reason", reason)
        self.study.tell(number, state=TrialState.PRUNED)

    @reached()
    def fail(self, number: int, reason: str) -> None:
        """End a trial that has no values."""
        self._rdb.set_trial_user_attr(self._id(number), "reason", reason)
        self.study.tell(number, state=TrialState.FAIL)

    @reached()
    def release(self) -> None:
        """Leave no trial RUNNING: what has not come to its end waits for the next driver."""
        for trial in self.trials:
            if trial.state == TrialState.RUNNING:
                self._rdb.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    @property
    def _sign(self) -> int:
        watched = self.search.watched
        return -1 if watched and watched.better != self.search.objectives[0].better else 1

    def _id(self, number: int) -> int:
        return self.trials[number]._trial_id

    def _known(self, keys: list[str]) -> dict[int, float]:
        """What was seen of these cells by any trial: a setting that is met twice is one."""
        known: dict[int, float] = {}
        for trial in self.trials:
            if list(trial.user_attrs.get("cells", {}).values()) == keys:
                known |= self.seen(trial.number)
        return known

    def _set_aside(self, cells: tuple[Cell, ...]) -> tuple[str, ...]:
        """In a fresh study, move away cells that were not made for it."""
        if not self.study.user_attrs.get("fresh"):
            return ()
        ours = {key for trial in self.trials for key in trial.user_attrs.get("cells", {}).values()}
        others = [
            cell
            for cell in cells
            if cell.key not in ours and cell_directory(self.storage, cell.key).exists()
        ]
        set_aside(others, self.storage)
        return tuple(cell.key for cell in others)

    def _keep_under_a_dated_name(self) -> None:
        if self.name not in optuna.get_all_study_names(self._rdb):
            return
        old = optuna.load_study(study_name=self.name, storage=self._rdb)
        for trial in old.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._rdb.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        kept = f"{self.name} until {_stamp()}"
        optuna.copy_study(
            from_study_name=self.name,
            from_storage=self._rdb,
            to_storage=self._rdb,
            to_study_name=kept,
        )
        optuna.delete_study(study_name=self.name, storage=self._rdb)


def search_of(suite: Suite) -> Search:
    """Return the `search` section of a suite.

    Raises:
        ConfigError: it has none.
    """
    if suite.search is None:
        raise ConfigError(
            f"suite {suite.name}: has no `search` section; add one (docs/search.md), or run its "
            "grid with jobs/benchmark_grid.py"
        )
    return suite.search


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
