"""What MLflow holds of a suite, read without changing anything."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run

from assay.tracking import view
from assay.tracking.destination import settle_environment


@dataclass(frozen=True)
class RecordedRun:
    """One run as MLflow shows it."""

    name: str
    key: str | None
    """Of its cell; None of a suite's own run."""
    status: str
    start_ms: int
    end_ms: int | None
    curves: Mapping[str, tuple[int, ...]]
    """The steps of every `train/…` and `val/…`, in the order in which they were logged."""


def recorded_runs(uri: str, suite: str) -> list[RecordedRun]:
    """Return every run of a suite, parents first; deleted ones are left out."""
    settle_environment()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(suite)
    if experiment is None:
        return []
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], page_token=token)
        runs += page
        token = page.token
        if not token:
            break
    found = [_recorded(client, run) for run in runs]
    return sorted(found, key=lambda run: (run.key is not None, run.name))


def _recorded(client: MlflowClient, run: Run) -> RecordedRun:
    curves = {
        name: tuple(point.step for point in client.get_metric_history(run.info.run_id, name))
        for name in view.curve_metrics(run.data.metrics)
    }
    return RecordedRun(
        name=run.info.run_name or "",
        key=run.data.tags.get(view.CELL_KEY),
        status=run.info.status,
        start_ms=run.info.start_time,
        end_ms=run.info.end_time,
        curves=curves,
    )
