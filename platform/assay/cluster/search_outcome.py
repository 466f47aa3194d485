"""What a search found: figures over seeds, the record of its trials, the best as a suite to run.

Everything is read from the study and the run store, so that it can be made at any time.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState

from assay.cell import Suite
from assay.cluster.study import VariantStudy
from assay.config import did_you_mean
from assay.errors import ConfigError, DataError
from assay.result import Result, read_metrics, write_bytes
from assay.runner import cell_directory, finished
from assay.search import Objective, OverSeeds, Spent, StudyRecord, TrialRecord
from assay.statistics.seeds import mean_over_seeds

Chosen = tuple[StudyRecord, TrialRecord]
ORIGIN = "# Written by jobs/search.py"
STATES: Mapping[TrialState, Any] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}
FRESH_SEEDS = 3
"""Least number of new seeds on which the best setting is to be run again."""


def measure(
    objectives: Sequence[Objective], cells: Mapping[str, str], storage: Path
) -> dict[str, OverSeeds]:
    """Return each objective of a setting, over the seeds on which its cells were run.

    Args:
        objectives: What to read: `val/…` at the end of training, or a protocol's metric.
        cells: Cell key by seed; all are finished.
        storage: The run store.

    Raises:
        ConfigError: the family does not report the metric, or holds the other way to be better.
        DataError: a result is missing or does not verify.
    """
    found = {}
    for objective in objectives:
        by_seed = {seed: _figure(objective, key, storage) for seed, key in cells.items()}
        mean, interval = mean_over_seeds(list(by_seed.values()))
        low, high = interval or (None, None)
        found[objective.metric] = OverSeeds(
            mean=mean, low=low, high=high, by_seed=by_seed, better=objective.better
        )
    return found


def _figure(objective: Objective, key: str, storage: Path) -> float:
    result = finished(storage, key)
    curves = cell_directory(storage, key) / "metrics.jsonl"
    if result is None or not curves.exists():
        raise DataError(f"cell {key}: has no result of the present protocol in {storage}")
    metric, family = objective.metric, result.cell["family"]
    if objective.is_validation:
        rows = read_metrics(curves)
        looks = [row for row in rows if any(name.startswith("val/") for name in row)]
        last = looks[-1] if looks else {}
        if metric not in last:
            known = (name for name in last if name.startswith("val/"))
            raise ConfigError(
                f"search: {family} reports no {metric!r} in training{did_you_mean(metric, known)}"
            )
        return last[metric]
    return _estimate(objective, result, family)


def _estimate(objective: Objective, result: Result, family: str) -> float:
    metric = objective.metric
    if metric not in result.estimates:
        near = did_you_mean(metric, result.estimates)
        raise ConfigError(f"search: {family} reports no {metric!r}{near}")
    estimate = result.estimates[metric]
    if estimate.better != objective.better:
        raise ConfigError(
            f"search: {metric} is better when {estimate.better}, but objectives say "
            f"{objective.better}"
        )
    return estimate.value


def record(study: VariantStudy) -> StudyRecord:
    """Return what a study holds, trial by trial.

    Raises:
        AssayError: the database cannot be reached, or as `measure`, except that the figures of
            results that are gone since are those in the database.
    """
    return StudyRecord(
        name=study.name,
        variant=study.variant,
        trials=[_trial(study, trial) for trial in study.trials],
        best=_best(study),
    )


def _trial(study: VariantStudy, trial: FrozenTrial) -> TrialRecord:
    cells: dict[str, str] = trial.user_attrs.get("cells", {})
    state = STATES.get(trial.state, "waiting")
    objectives, reason = {}, trial.user_attrs.get("reason")
    if state == "complete":
        try:
            objectives = measure(study.search.objectives, cells, study.storage)
        except DataError as error:
            objectives = _as_told(study, trial)
            reason = f"figures as the database holds them, without intervals: {error}"
    return TrialRecord(
        number=trial.number,
        state=state,
        values=dict(sorted(trial.params.items())),
        objectives=objectives,
        rungs={str(percent): value for percent, value in study.seen(trial.number).items()},
        cells=cells,
        spent=_spent(cells, study.storage),
        reason=reason,
    )


def _as_told(study: VariantStudy, trial: FrozenTrial) -> dict[str, OverSeeds]:
    return {
        objective.metric: OverSeeds(
            mean=value, low=None, high=None, by_seed={}, better=objective.better
        )
        for objective, value in zip(study.search.objectives, trial.values, strict=True)
    }


def _spent(cells: Mapping[str, str], storage: Path) -> Spent:
    total = {"steps": 0, "samples": 0, "flops": 0.0, "seconds": 0.0}
    for key in cells.values():
        try:
            path = cell_directory(storage, key) / "metrics.jsonl"
            rows = read_metrics(path) if path.exists() else []
            result = finished(storage, key)
        except DataError:  # said by the trial's reason, if its figures are missed
            continue
        last = rows[-1] if rows else {"step": 0, "samples": 0, "flops": 0.0, "seconds": 0.0}
        for name in total:
            total[name] += last["step" if name == "steps" else name]
        total["seconds"] += result.cost.evaluation_seconds if result else 0.0
    return Spent.model_validate(total)


def _best(study: VariantStudy) -> list[int]:
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return []
    if len(study.search.objectives) > 1:
        return study.front
    sign = -1 if study.search.objectives[0].better == "higher" else 1
    best = min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number))
    return [best.number]


def write_best(suite: Suite, studies: Sequence[StudyRecord], folder: Path) -> list[Path]:
    """Write the best settings as suites that `jobs/benchmark_grid.py` runs, on new seeds.

    With one objective it is one suite, `best.yaml`, with a rule for each variant; if its grid
    would hold a variant without a best setting, one suite each, `best-<variant>.yaml`. With several
    it is one for each point of the front, `front/<variant>-<trial>.yaml`. Those of an earlier state
    are removed.

    Returns:
        The files; none while no trial is complete.
    """
    chosen = [
        (study, next(trial for trial in study.trials if trial.number == number))
        for study in studies
        for number in study.best
    ]
    _remove_earlier(folder)
    if not chosen:
        return []
    one_objective = suite.search is not None and len(suite.search.objectives) == 1
    variants = [study.variant for study, _ in chosen]
    if one_objective and math.prod(map(len, _grid(suite, variants).values())) == len(variants):
        return [_write_suite(suite, chosen, f"{suite.name}_best", folder / "best.yaml")]
    paths = []
    for study, trial in chosen:
        label = "-".join(study.variant.values())
        word = label.replace("-", "_").lower()
        if one_objective:
            name, path = f"{suite.name}_best_{word}", folder / f"best-{label}.yaml"
        else:
            name = f"{suite.name}_{word}_{trial.number}"
            path = folder / "front" / f"{label}-{trial.number}.yaml"
        paths.append(_write_suite(suite, [(study, trial)], name, path))
    return paths


def _remove_earlier(folder: Path) -> None:
    for path in (*folder.glob("best*.yaml"), *folder.glob("front/*.yaml")):
        if path.read_bytes().startswith(ORIGIN.encode()):
            path.unlink()


def _grid(suite: Suite, variants: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the smallest grid that holds the variants."""
    return {axis: list(dict.fromkeys(v[axis] for v in variants)) for axis in suite.grid}


def _write_suite(suite: Suite, best: Sequence[Chosen], name: str, path: Path) -> Path:
    origin = ", ".join(f"trial {trial.number} of {study.name}" for study, trial in best)
    plain = suite.model_dump(mode="json", exclude_unset=True, exclude={"search"})
    first = max(suite.seeds) + 1
    plain |= {
        "name": name,
        "title": f"{suite.title}: the best settings on new seeds",
        "grid": _grid(suite, [study.variant for study, _ in best]),
        "seeds": list(range(first, first + max(FRESH_SEEDS, len(suite.seeds)))),
        "rules": [
            *plain.get("rules", []),
            *({"when": study.variant, "set": trial.values} for study, trial in best),
        ],
    }
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    write_bytes(path, f"{ORIGIN}: {origin}.\n{text}".encode())
    return path
