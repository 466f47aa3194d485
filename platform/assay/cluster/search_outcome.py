"""What a search found: figures over seeds, the record of its trials, the best as a suite to run.

Everything is read from the study and the run store, so that it can be made at any time.
"""

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
from assay.run import cell_directory, finished
from assay.search import Objective, OverSeeds, Spent, StudyRecord, TrialRecord
from assay.statistics.seeds import mean_over_seeds

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
    if result is None:
        raise DataError(f"cell {key}: has no result in {storage}: the same command computes it")
    metric, family = objective.metric, result.cell["family"]
    if objective.is_validation:
        rows = read_metrics(cell_directory(storage, key) / "metrics.jsonl")
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
        AssayError: as `measure`.
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
    done = state == "complete"
    return TrialRecord(
        number=trial.number,
        state=state,
        values=dict(sorted(trial.params.items())),
        objectives=measure(study.search.objectives, cells, study.storage) if done else {},
        rungs={str(percent): value for percent, value in study.seen(trial.number).items()},
        cells=cells,
        spent=_spent(cells, study.storage),
        reason=trial.user_attrs.get("reason"),
    )


def _spent(cells: Mapping[str, str], storage: Path) -> Spent:
    total = {"steps": 0, "samples": 0, "flops": 0.0, "seconds": 0.0}
    for key in cells.values():
        path = cell_directory(storage, key) / "metrics.jsonl"
        rows = read_metrics(path) if path.exists() else []
        result = finished(storage, key)
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
        return sorted(trial.number for trial in study.study.best_trials)
    sign = -1 if study.search.objectives[0].better == "higher" else 1
    best = min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number))
    return [best.number]


def write_best(suite: Suite, studies: Sequence[StudyRecord], folder: Path) -> list[Path]:
    """Write the best settings as suites that `jobs/benchmark_grid.py` runs, on new seeds.

    With one objective it is one suite, `best.yaml`, with a rule for each variant. With several it
    is one for each point of the front, `front/<variant>-<trial>.yaml`.

    Returns:
        The files; none while no trial is complete.
    """
    chosen = [
        (study, next(trial for trial in study.trials if trial.number == number))
        for study in studies
        for number in study.best
    ]
    if not chosen:
        return []
    if suite.search is not None and len(suite.search.objectives) == 1:
        rules = [(study.variant, trial.values) for study, trial in chosen]
        numbers = ", ".join(f"trial {trial.number} of {study.name}" for study, trial in chosen)
        return [_write_suite(suite, rules, f"{suite.name}_best", numbers, folder / "best.yaml")]
    paths = []
    for study, trial in chosen:
        label = "-".join(study.variant.values())
        name = f"{suite.name}_{label.replace('-', '_').lower()}_{trial.number}"
        path = folder / "front" / f"{label}-{trial.number}.yaml"
        origin = f"trial {trial.number} of {study.name}"
        paths.append(_write_suite(suite, [(study.variant, trial.values)], name, origin, path))
    return paths


def _write_suite(
    suite: Suite,
    best: list[tuple[dict[str, str], dict[str, Any]]],
    name: str,
    origin: str,
    path: Path,
) -> Path:
    plain = suite.model_dump(mode="json", exclude_unset=True, exclude={"search"})
    first = max(suite.seeds) + 1
    variants = [variant for variant, _ in best]
    plain |= {
        "name": name,
        "title": f"{suite.title}: the best settings on new seeds",
        "grid": {axis: list(dict.fromkeys(v[axis] for v in variants)) for axis in suite.grid},
        "seeds": list(range(first, first + max(FRESH_SEEDS, len(suite.seeds)))),
        "rules": [
            *plain.get("rules", []),
            *({"when": variant, "set": values} for variant, values in best),
        ],
    }
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    write_bytes(path, f"# Written by jobs/search.py: {origin}.\n{text}".encode())
    return path
