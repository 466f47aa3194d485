"""The runs of one suite in MLflow: a parent and, below it, one child a cell.

Everything is searched for before it is created and may be done twice without harm, so that any
process, at any time, can carry on where another one stopped.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID

from assay.errors import DataError
from assay.headline import headline
from assay.result import Failure, read_result, read_settings
from assay.tracking import saved_views, view
from assay.tracking.curves import Curves
from assay.tracking.destination import Destination, may_be_alive, settle_environment

Ending = Literal["FINISHED", "FAILED", "KILLED"]
METRICS_A_REQUEST = 900  # MLflow takes 1,000 entries a request
TAG_LENGTH = 5000
DIGEST_LENGTH = 36


class Runs:
    """Finds, makes and ends the runs of a suite; raises whatever MLflow raises."""

    def __init__(self, destination: Destination) -> None:
        settle_environment()
        self.destination = destination
        with _alone_in(destination):
            self.client = MlflowClient(tracking_uri=destination.uri)
            self.experiment = self._find_or_create_experiment().experiment_id
        self._logged: dict[str, dict[str, Metric]] = {}

    def parent(self) -> Run | None:
        """Return the suite's own run, if it is there."""
        return self._first(f"tags.`{view.LEVEL}` = 'suite'")

    def begin_suite(self) -> Run:
        """Find or create the parent and set it RUNNING."""
        run = self.parent() or self.client.create_run(
            self.experiment, run_name=self.destination.suite, tags={view.LEVEL: "suite"}
        )
        self.client.update_run(run.info.run_id, status="RUNNING")
        tags = {view.NOTE: self.destination.title, view.OWNER: self.destination.owner}
        self._tag(run.info.run_id, tags | dict(self.destination.tags))
        return run

    def end_suite(self, status: Ending) -> None:
        """End the parent, unless another driver has taken the suite over since `begin_suite`."""
        run = self.parent()
        if run is not None and run.data.tags.get(view.OWNER) == self.destination.owner:
            self._terminate(run.info.run_id, status)

    def save_views(self, cells: Path) -> None:
        """Write the views of the experiment and its description, once there is something to show.

        Args:
            cells: The folder of cells of the run store; a result there says which way is better.
        """
        contents = _contents(self.children("FINISHED"), cells)
        if contents is None:
            return
        made = self.client.get_experiment(self.experiment)
        tags = saved_views.saved_views(contents, made.creation_time or 0)
        tags[view.NOTE] = saved_views.note(self.destination.title, self.experiment)
        for name, value in tags.items():
            if made.tags.get(name) != value:
                self.client.set_experiment_tag(self.experiment, name, value)

    def child(self, key: str) -> Run | None:
        """Return the run of the cell with this key, if it is there."""
        return self._first(f"tags.`{view.CELL_KEY}` = '{key}'")

    def children(self, status: str | None = None) -> list[Run]:
        """Return the runs of all cells, or those with a status."""
        wanted = f"tags.`{view.LEVEL}` = 'cell'"
        if status is not None:
            wanted += f" and attributes.status = '{status}'"
        found, token = [], None
        while True:
            page = self.client.search_runs([self.experiment], wanted, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def whole_children(self) -> dict[str, str]:
        """Return the digest of the result that each finished child shows, by cell key."""
        tags = [run.data.tags for run in self.children("FINISHED")]
        return {each[view.CELL_KEY]: each.get(view.RESULT, "") for each in tags}

    def begin(self, cell: Mapping[str, Any], key: str, tags: Mapping[str, str]) -> str:
        """Find or create the child of a cell, set it RUNNING and return its run id."""
        run = self.child(key)
        if run is None:
            parent = self.parent() or self.begin_suite()
            identity = {view.CELL_KEY: key, MLFLOW_PARENT_RUN_ID: parent.info.run_id}
            run = self.client.create_run(
                self.experiment, run_name=view.run_name(cell), tags=identity
            )
        run_id = run.info.run_id
        self.client.update_run(run_id, status="RUNNING")
        params = [Param(name, value) for name, value in view.params(cell).items()]
        self.client.log_batch(run_id, params=params)
        own = {
            view.STAGE: run.data.tags.get(view.STAGE, "grid"),
            view.OWNER: self.destination.owner,
        }
        self._tag(run_id, view.tags(cell, key) | own | dict(tags))
        self.client.log_inputs(run_id, [_data_input(cell["data"])])
        self.client.log_dict(run_id, dict(cell), "cell.json")
        return run_id

    def discard(self, key: str) -> None:
        """Move the child of a cell, if any, to MLflow's trash: the cell is computed again."""
        run = self.child(key)
        if run is not None:
            self.client.delete_run(run.info.run_id)

    def log_rows(self, run_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Log curve points beyond the last step that each curve has.

        A point's time is the run's start plus the training seconds of its row, so that the same
        rows make the same points whenever they are logged; but never before the point that is
        there already, as where steps after a checkpoint were done again, and faster.
        """
        logged = self._logged.get(run_id) or self._read_logged(run_id)
        begun = self.client.get_run(run_id).info.start_time
        latest = max((point.timestamp for point in logged.values()), default=0)
        metrics: list[Metric] = []
        for row in rows:
            at = max(begun + round(1000 * row.get("seconds", 0.0)), latest)
            new = [
                Metric(name, value, at, row["step"])
                for name, value in view.curve_metrics(row).items()
                if name not in logged or row["step"] > logged[name].step
            ]
            metrics += new
            latest = at if new else latest
        for first in range(0, len(metrics), METRICS_A_REQUEST):
            self.client.log_batch(run_id, metrics[first : first + METRICS_A_REQUEST])
        self._logged[run_id] = logged | {metric.key: metric for metric in metrics}

    def complete(
        self, result_path: Path, metrics_path: Path, tags: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Make the child of a finished cell whole, from its files; nothing if it is so already.

        A child that shows another result, such as one from before `--fresh`, is replaced: its
        curves are not this one's.

        Raises:
            DataError: a file does not verify.
        """
        result = read_result(result_path)
        digest = file_digest(result_path)
        key = result.provenance.cell_key
        known = self.child(key)
        if known is not None and _is_whole(known, digest):
            return
        if known is not None and known.data.tags.get(view.RESULT, digest) != digest:
            self.client.delete_run(known.info.run_id)
            known = None
        made = view.finished_tags(result, result_path.parent)
        run_id = self.begin(result.cell, key, made | dict(tags))
        self.log_rows(run_id, Curves(metrics_path).new())
        ended = round(1000 * result_path.stat().st_mtime)
        metrics = [
            Metric(name, value, ended, result.cost.steps)
            for name, value in view.final_metrics(result).items()
        ]
        self.client.log_batch(run_id, metrics)
        self.client.log_text(run_id, result_path.read_text(), "result.json")
        for tag in (view.FAILURE, view.STOPPED):
            if known is not None and tag in known.data.tags:
                self.client.delete_tag(run_id, tag)
        self._tag(run_id, {view.RESULT: digest})
        self._terminate(run_id, "FINISHED")

    def fail(self, cell: Mapping[str, Any], key: str, reason: str) -> None:
        """End the child of a cell as FAILED, with the reason as a tag."""
        run = self.child(key)
        run_id = self.begin(cell, key, {}) if run is None else run.info.run_id
        self._tag(run_id, {view.FAILURE: reason})
        self._terminate(run_id, "FAILED")

    def stop(self, key: str, reason: str | None = None) -> None:
        """End the child of an unfinished cell as KILLED; a reason goes into a tag.

        A finished child stays as it is, and nothing is made where there is none.
        """
        run = self.child(key)
        if run is None or run.info.status == "FINISHED":
            return
        if reason is not None:
            self._tag(run.info.run_id, {view.STOPPED: reason})
        self._terminate(run.info.run_id, "KILLED")

    def reconcile(self, cells: Path) -> None:
        """Leave no child RUNNING that nobody runs: end it as its files say, else KILLED.

        Args:
            cells: The folder of cells of the run store.
        """
        for run in self.children("RUNNING"):
            owner = run.data.tags.get(view.OWNER, "")
            if owner != self.destination.owner and may_be_alive(owner):
                continue
            directory = cells / run.data.tags[view.CELL_KEY]
            first = self.child(directory.name)
            if first is None or first.info.run_id != run.info.run_id:
                self._terminate(run.info.run_id, "KILLED")  # a second one that two drivers made
            elif (directory / "result.json").exists():
                self.complete(directory / "result.json", directory / "metrics.jsonl")
            elif (directory / "failure.json").exists():
                failure = read_settings(Failure, directory / "failure.json")
                self.fail(failure.cell, directory.name, failure.reason)
            else:
                self._terminate(run.info.run_id, "KILLED")

    def _terminate(self, run_id: str, status: Ending) -> None:
        # The clock may have been set back since the start: no run ends before it.
        start = self.client.get_run(run_id).info.start_time
        self.client.set_terminated(run_id, status, max(start, round(1000 * time.time())))

    def _find_or_create_experiment(self) -> Experiment:
        name = self.destination.suite
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                created = self.client.create_experiment(name, self.destination.artifacts)
                return self.client.get_experiment(created)
            except MlflowException:
                found = self.client.get_experiment_by_name(name)
                if found is None:  # otherwise another process was faster
                    raise
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found

    def _first(self, wanted: str) -> Run | None:
        order = ["attributes.start_time ASC"]
        found = self.client.search_runs([self.experiment], wanted, max_results=1, order_by=order)
        return found[0] if found else None

    def _read_logged(self, run_id: str) -> dict[str, Metric]:
        """Return the last point of each curve."""
        return {
            name: max(
                self.client.get_metric_history(run_id, name), key=lambda m: (m.step, m.timestamp)
            )
            for name in view.curve_metrics(self.client.get_run(run_id).data.metrics)
        }

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        entries = [RunTag(name, value[:TAG_LENGTH]) for name, value in tags.items()]
        self.client.log_batch(run_id, tags=entries)


def _alone_in(destination: Destination) -> contextlib.AbstractContextManager[object]:
    """Keep other processes out while a SQLite store makes its tables: two at once spoil it."""
    path = destination.uri.removeprefix("sqlite:///")
    return contextlib.nullcontext() if path == destination.uri else FileLock(f"{path}.lock")


def file_digest(path: Path) -> str:
    """Return the first 16 hex digits of a file's SHA-256: which result a child shows."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _is_whole(run: Run, digest: str) -> bool:
    return run.info.status == "FINISHED" and run.data.tags.get(view.RESULT) == digest


def _contents(runs: Sequence[Run], cells: Path) -> saved_views.Contents | None:
    """Return what cells have to show; None where the file of none can be read here."""
    for run in runs:
        path = cells / run.data.tags[view.CELL_KEY] / "result.json"
        try:
            estimates = read_result(path).estimates
        except DataError:  # of another store, or spoiled: views are by whatever is here
            continue
        finals = [saved_views.estimates_of(each.data.metrics, estimates) for each in runs]
        metric = headline(finals)
        if metric is None:
            continue
        return saved_views.Contents(
            groups=saved_views.groups_of([(each.data.params, each.data.tags) for each in runs]),
            metrics=tuple(estimates),
            headline=metric,
            better=estimates[metric].better,
        )
    return None


def _data_input(data: Mapping[str, str]) -> DatasetInput:
    source = json.dumps({"command": f"assay data prepare {data['name']}", "sha256": data["digest"]})
    entity = Dataset(data["name"], data["digest"][:DIGEST_LENGTH], "assay", source)
    return DatasetInput(entity, [InputTag(MLFLOW_DATASET_CONTEXT, "train")])
