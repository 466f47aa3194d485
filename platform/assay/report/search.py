"""The trials of a search, as a table for a terminal."""

from rich.table import Table
from rich.text import Text

from assay.search import OverSeeds, StudyRecord, TrialRecord

STYLES = {"complete": "", "stopped": "dim", "failed": "red", "waiting": "dim"}


def trials_table(study: StudyRecord) -> Table:
    """Return a study: settings, objectives over the seeds, state, cost; the best are marked."""
    metrics = list(dict.fromkeys(name for trial in study.trials for name in trial.objectives))
    keys = list(dict.fromkeys(key for trial in study.trials for key in trial.values))
    shown = Table(title=study.name, title_style="bold", title_justify="left")
    for heading in ("trial", *(key.rpartition(".")[2] for key in keys), *metrics):
        shown.add_column(heading, justify="right")
    shown.add_column("state")
    for heading in ("steps", "seconds"):
        shown.add_column(heading, justify="right")
    for trial in study.trials:
        is_best = trial.number in study.best
        shown.add_row(
            f"{trial.number} *" if is_best else f"{trial.number}  ",
            *(_value(trial.values.get(key, "")) for key in keys),
            *(_figure(trial.objectives.get(metric)) for metric in metrics),
            Text(_state(trial), style=STYLES[trial.state]),
            f"{trial.spent.steps:,}",
            f"{trial.spent.seconds:,.1f}",
            style="bold" if is_best else "",
        )
    return shown


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _figure(over: OverSeeds | None) -> str:
    if over is None:
        return ""
    if over.low is None or over.high is None:
        return f"{over.mean:.4g}"
    return f"{over.mean:.4g} ± {(over.high - over.low) / 2:.2g}"


def _state(trial: TrialRecord) -> str:
    if trial.state == "stopped":
        return trial.reason or "stopped"
    return "complete, results gone" if trial.state == "complete" and trial.reason else trial.state
