"""Is it worth tuning the weights of losses? Searches of equal budget, their best run again.

What a search finds is flattered by having been chosen; so every way of weighing is judged by its
chosen setting on seeds and records that chose nothing, and tuning is worth it if it then beats both
the given weights and the way without tuning that the searches rank best.

Shapes: T trials, S seeds, Q objectives, K metrics of a task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.config import did_you_mean
from assay.errors import DataError
from assay.provenance import package_versions
from assay.report.loss_weights_arms import DEFAULTS, SINGLE, TUNED, Task
from assay.report.search_importance import of_reaching_the_front, of_variance
from assay.result import Result
from assay.search import Better, Search, StudyRecord, TrialRecord
from assay.statistics import pareto
from assay.statistics.hypervolume import hypervolume
from assay.statistics.importance import Importance
from assay.statistics.multitask import relative_loss
from assay.statistics.power import SeedsNeeded, seeds_needed
from assay.statistics.seeds import mean_over_seeds

VERSION = "2"
"""2: of seeds that are all alike there is no interval."""
WORST_THAT_COUNTS = 0.9
"""Of all trials of all ways, by objective: a few that went astray should not stretch the unit."""
Values = NDArray[np.float64]
BySeed = Mapping[int, Mapping[str, float]]
"""Figures by seed and metric."""
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """A mean over seeds and its 95 % interval, which one seed does not have."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Measured":
        """Return it, of one value a seed."""
        mean, ends = mean_over_seeds(values)
        return cls(mean, *(ends or (None, None)))


@dataclass(frozen=True)
class Way:
    """One way of weighing the losses."""

    name: str
    complete: int
    """Trials with figures, of as many as every way has."""
    chosen: TrialRecord
    """Of the search: on its front, with the best mean rank among the trials of all ways."""
    again: Mapping[str, Measured]
    """Its figures by metric of the protocol, on new seeds."""
    volume: Measured | str
    """What its search's front commands, in units of the box; over the search's seeds."""
    delta_m: Measured | str
    """Against single-task models, on new seeds: the lower the better."""
    on_front: bool
    """On new seeds no other way is as good in every metric and better in one."""


@dataclass(frozen=True)
class Against:
    """Tuned weights less another way, in Δm, seed by seed; below 0 tuning is better."""

    rival: str
    difference: Measured
    seeds: int
    needed: SeedsNeeded | None
    """Seeds to find a difference as large as was seen; None with one seed."""


@dataclass(frozen=True)
class Verdict:
    """Whether tuning is worth it."""

    answer: Literal["yes", "no", "not shown"]
    against: tuple[Against, ...]
    """The given weights, and the way without tuning that the searches rank best."""


@dataclass(frozen=True)
class Findings:
    """What the searches and the runs on new seeds say; a sentence stands for what cannot."""

    tasks: tuple[Task, ...]
    objectives: Mapping[str, Better]
    """Of the searches."""
    metrics: Mapping[str, Better]
    """On new seeds."""
    box: Mapping[str, tuple[float, float]]
    """By metric, the best of all trials and the worst that counts: the unit of volumes."""
    ways: tuple[Way, ...]
    front: tuple[tuple[str, int], ...]
    """Way and trial of the searches' common front."""
    of_variance: Mapping[str, list[Importance] | str]
    """By metric, what matters in the search of the weights."""
    of_reaching_the_front: list[Importance] | str
    verdict: Verdict | str


def choose(studies: Mapping[str, StudyRecord]) -> dict[str, TrialRecord]:
    """Return the setting of each way that is run again.

    Of the trials on its own front it is the one whose rank, as a share of the trials of all ways
    that have the objective, is best in the mean over its objectives.

    Args:
        studies: By way; each has a complete trial.
    """
    ranks = _ranks(studies)
    return {
        way: min(
            (trial for trial in study.trials if trial.number in study.best),
            key=lambda trial, way=way: (ranks[way, trial.number], trial.number),
        )
        for way, study in studies.items()
    }


def figures(results: Sequence[Result], metrics: Sequence[str]) -> dict[int, dict[str, float]]:
    """Return the figures of results by seed.

    Raises:
        DataError: a result lacks one.
    """
    for result in results:
        missing = [metric for metric in metrics if metric not in result.estimates]
        if missing:
            near = did_you_mean(missing[0], result.estimates)
            raise DataError(f"cell {result.provenance.cell_key}: has no {missing[0]}{near}")
    return {
        int(result.cell["seed"]): {metric: result.estimates[metric].value for metric in metrics}
        for result in results
    }


def findings(
    studies: Mapping[str, StudyRecord],
    again: Mapping[str, BySeed],
    metrics: Mapping[str, Better],
    tasks: Sequence[Task],
    search: Search,
) -> Findings:
    """Return what can be said.

    Args:
        studies: By way, those of `choose`.
        again: By way, the figures of what it chose on new seeds; a way that failed is not there.
        metrics: Which way they are better; those of tasks are among them.
        tasks: What is trained alone, too.
        search: Of the tuned weights.

    Raises:
        DataError: all trials of all ways are alike in an objective, or none is complete.
    """
    better: dict[str, Better] = {each.metric: each.better for each in search.objectives}
    together = {way: s for way, s in studies.items() if not way.startswith(SINGLE)}
    box, chosen = _box(together, better), choose(studies)
    on_front = _on_front({way: again[way] for way in together if way in again}, metrics)
    ways = tuple(
        Way(
            name=way,
            complete=len(_complete(study)),
            chosen=chosen[way],
            again=_over_seeds(again[way], metrics) if way in again else {},
            volume=_or_reason(lambda s=study: _volume(s, box, better)),
            delta_m=_or_reason(
                lambda w=way: Measured.of(list(_losses(again, w, metrics, tasks).values()))
            ),
            on_front=way in on_front,
        )
        for way, study in together.items()
    )
    tuned = studies.get(TUNED, StudyRecord(name=TUNED, variant={}, trials=[], best=[]))
    return Findings(
        tasks=tuple(tasks),
        objectives=better,
        metrics=dict(metrics),
        box=box,
        ways=ways,
        front=_common_front(together, better),
        of_variance={
            metric: _or_reason(lambda m=metric: of_variance(tuned, search, m)) for metric in better
        },
        of_reaching_the_front=_or_reason(
            lambda: of_reaching_the_front(tuned, search, _points(tuned, better))
        ),
        verdict=_or_reason(lambda: _verdict(studies, again, metrics, tasks)),
    )


def document(found: Findings) -> dict[str, Any]:
    """Return what is written as JSON; what is not known is null, or `reason`."""
    plain = asdict(found)
    plain["ways"] = [
        {**asdict(way), "chosen": way.chosen.model_dump(mode="json")} for way in found.ways
    ]
    plain["provenance"] = {
        "protocol": f"loss weights {VERSION}", "packages": package_versions(),
    }  # fmt: skip
    return _plain(plain)


def _complete(study: StudyRecord) -> list[TrialRecord]:
    return [trial for trial in study.trials if trial.state == "complete"]


def _loss(value: float, better: Better) -> float:
    return -value if better == "higher" else value


def _ranks(studies: Mapping[str, StudyRecord]) -> dict[tuple[str, int], float]:
    """Return each complete trial's mean rank, as a share: the lower the better."""
    places: dict[tuple[str, int], list[float]] = {}
    trials = {(way, t.number): t for way, s in studies.items() for t in _complete(s)}
    for metric in {metric for trial in trials.values() for metric in trial.objectives}:
        having = {key: t.objectives[metric] for key, t in trials.items() if metric in t.objectives}
        ranked = rankdata([_loss(figure.mean, figure.better) for figure in having.values()])
        for key, rank in zip(having, ranked.tolist(), strict=True):
            places.setdefault(key, []).append(rank / len(having))
    return {key: fmean(ranks) for key, ranks in places.items()}


def _points(study: StudyRecord, better: Mapping[str, Better], seed: str | None = None) -> Values:
    """Return (T, Q) losses of the complete trials: of a seed, or means over seeds."""
    rows = []
    for trial in _complete(study):
        of = [trial.objectives[metric] for metric in better]
        values = [each.mean if seed is None else each.by_seed[seed] for each in of]
        rows.append([_loss(v, way) for v, way in zip(values, better.values(), strict=True)])
    return np.array(rows, dtype=np.float64).reshape(-1, len(better))


def _box(
    studies: Mapping[str, StudyRecord], better: Mapping[str, Better]
) -> dict[str, tuple[float, float]]:
    points_TQ = np.concatenate([_points(study, better) for study in studies.values()])
    if not len(points_TQ):
        raise DataError("no trial of any way is complete: there is nothing to compare")
    best_Q = points_TQ.min(axis=0)
    worst_Q = np.quantile(points_TQ, WORST_THAT_COUNTS, axis=0)
    alike = [metric for metric, same in zip(better, worst_Q <= best_Q, strict=True) if same]
    if alike:
        raise DataError(f"{alike[0]} is the same in all trials of all ways: nothing to compare")
    return {
        metric: (_loss(low, way), _loss(high, way))
        for (metric, way), low, high in zip(better.items(), best_Q, worst_Q, strict=True)
    }


def _within(
    points_TQ: Values, box: Mapping[str, tuple[float, float]], better: Mapping[str, Better]
) -> float:
    """Return the volume that points command, in units of the box."""
    ends_Q2 = np.array([[_loss(end, better[metric]) for end in box[metric]] for metric in better])
    scaled_TQ = (points_TQ - ends_Q2[:, 0]) / (ends_Q2[:, 1] - ends_Q2[:, 0])
    return hypervolume(scaled_TQ, np.ones(len(better)))


def _volume(
    study: StudyRecord, box: Mapping[str, tuple[float, float]], better: Mapping[str, Better]
) -> Measured:
    figures = [over for trial in _complete(study) for over in trial.objectives.values()]
    seeds = sorted(set.intersection(*(set(over.by_seed) for over in figures)))
    if not seeds:
        raise DataError("results of some trials are gone: figures by seed are not known")
    return Measured.of([_within(_points(study, better, seed), box, better) for seed in seeds])


def _over_seeds(found: BySeed, metrics: Mapping[str, Better]) -> dict[str, Measured]:
    return {m: Measured.of([figures[m] for figures in found.values()]) for m in metrics}


def _losses(
    again: Mapping[str, BySeed], way: str, metrics: Mapping[str, Better], tasks: Sequence[Task]
) -> dict[int, float]:
    """Return each seed's relative loss against single-task models: Δm, each task counting alike.

    Raises:
        DataError: runs are missing, or nothing is relative to a single-task model's figure.
    """
    needed = [way, *(SINGLE + task.loss for task in tasks)]
    missing = [each for each in needed if each not in again]
    if missing:
        raise DataError(f"{missing[0]}: what it chose has no results on new seeds")
    seeds = sorted(set.intersection(*(set(again[each]) for each in needed)))
    if not seeds:
        raise DataError(f"{way}: has no seed in common with the single-task models")
    losses_S = np.zeros(len(seeds))
    for task in tasks:
        ours_SK, single_SK = (
            np.array([[again[each][seed][metric] for metric in task.metrics] for seed in seeds])
            for each in (way, SINGLE + task.loss)
        )
        better: list[Better] = [metrics[metric] for metric in task.metrics]
        losses_S += relative_loss(ours_SK, single_SK, better) / len(tasks)
    return dict(zip(seeds, losses_S.tolist(), strict=True))


def _on_front(again: Mapping[str, BySeed], metrics: Mapping[str, Better]) -> set[str]:
    if not again:
        return set()
    rows = [
        [_loss(fmean(f[m] for f in found.values()), way) for m, way in metrics.items()]
        for found in again.values()
    ]
    return {way for way, on in zip(again, _front(np.array(rows)), strict=True) if on}


def _common_front(
    studies: Mapping[str, StudyRecord], better: Mapping[str, Better]
) -> tuple[tuple[str, int], ...]:
    names = [(way, trial.number) for way, study in studies.items() for trial in _complete(study)]
    points_TQ = np.concatenate([_points(study, better) for study in studies.values()])
    return tuple(name for name, on in zip(names, _front(points_TQ), strict=True) if on)


def _front(points_TQ: Values) -> NDArray[np.bool_]:
    return pareto.front(-points_TQ[:, 0], points_TQ[:, 1:])


def _verdict(
    studies: Mapping[str, StudyRecord],
    again: Mapping[str, BySeed],
    metrics: Mapping[str, Better],
    tasks: Sequence[Task],
) -> Verdict:
    """Both rivals are named by the searches alone, and both must be beaten: nothing to correct."""
    ranks, chosen = _ranks(studies), choose(studies)
    others = [way for way in studies if way != TUNED and not way.startswith(SINGLE)]
    if TUNED not in again or not any(way in again for way in others):
        raise DataError("tuned weights, or all that they are held against, have no results")
    best = min(others, key=lambda way: ranks[way, chosen[way].number])
    for way in (DEFAULTS, best):
        if way not in again:
            raise DataError(
                f"tuned weights are held against {way} too, which has no results on new seeds"
            )
    rivals = [way for way in others if way in (DEFAULTS, best)]
    ours, against = _losses(again, TUNED, metrics, tasks), []
    for rival in rivals:
        theirs = _losses(again, rival, metrics, tasks)
        apart = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
        needed = seeds_needed(apart) if len(apart) > 1 else None
        against.append(Against(rival, Measured.of(apart), len(apart), needed))
    return Verdict(_answer([each.difference for each in against]), tuple(against))


def _answer(differences: Sequence[Measured]) -> Literal["yes", "no", "not shown"]:
    if any(each.low is not None and each.low > 0 for each in differences):
        return "no"
    if all(each.high is not None and each.high < 0 for each in differences):
        return "yes"
    return "not shown"


def _or_reason(make: Callable[[], T]) -> T | str:
    try:
        return make()
    except DataError as error:
        return str(error)


def _plain(value: Any) -> Any:
    """Return what JSON can hold; infinite numbers of seeds are null."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
