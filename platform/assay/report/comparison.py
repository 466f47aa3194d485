"""A fair comparison of a suite's models by one figure: effects, differences, ranks, costs.

Shapes: M models, S seeds that all models have, I and J levels of the grid's two axes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.provenance import package_versions
from assay.report.told_apart import names
from assay.report.wording import COSTS
from assay.result import Result, require_one_version
from assay.statistics.aggregate import (
    LEAST_SCORES,
    interquartile_mean,
    probability_of_improvement,
)
from assay.statistics.factorial import Factorial, factorial
from assay.statistics.intervals import Interval
from assay.statistics.paired import Difference, all_pairs
from assay.statistics.pareto import front
from assay.statistics.power import MOST_SEEDS, SeedsNeeded, seeds_needed
from assay.statistics.ranks import Ranking, ranking
from assay.statistics.seeds import mean_over_seeds

VERSION = "3"
"""2: no interquartile mean of fewer than four seeds.
3: of seeds that are all alike there is no interval, and p is 2^(1 - S)."""

PartT = TypeVar("PartT")
Paired = Literal["all", "best", "none"]


@dataclass(frozen=True)
class Model:
    """One model over its seeds."""

    name: str
    """The variant, and what tells it apart (`told_apart.names`)."""
    variant: Mapping[str, str]
    values_S: NDArray[np.float64]
    mean: float
    ends: Interval | None
    """Student's t over seeds; None of one seed, or if all are alike."""
    middle: float | None
    """Interquartile mean; None of fewer than four seeds, of which it leaves out none: the mean."""
    middle_ends: Interval | None
    costs: Mapping[str, float]
    """By the names of `COSTS`, means over seeds."""
    fronts: tuple[str, ...]
    """Costs by which no trained model is as good and cheaper, or better and as cheap."""


@dataclass(frozen=True)
class Pair:
    """Two models, seed by seed."""

    difference: Difference
    improvement: float
    """How likely a run of the first is better than one of the second."""
    improvement_ends: Interval
    seeds: SeedsNeeded
    """To find a difference as large as was seen, 80 times in 100."""


@dataclass(frozen=True)
class Comparison:
    """What can be said of a suite's models by one figure; a sentence stands for what cannot."""

    figure: str
    better: str
    seeds: tuple[int, ...]
    left_out: tuple[int, ...]
    """Seeds that some model lacks."""
    cells: tuple[str, ...]
    """Keys of what was compared."""
    axes: tuple[str, ...]
    models: tuple[Model, ...]
    """Best first."""
    pairs: tuple[Pair, ...] | str
    effects: Factorial | str
    """Of the first axis, the second, and both together."""
    ranks: Ranking | str
    """With seeds as blocks: about this data set, not about others."""


def compare(results: Sequence[Result], figure: str, paired: Paired = "all") -> Comparison:
    """Compare the models of a suite by one figure, on the seeds that all of them have.

    Args:
        results: Of a suite, two models or more.
        figure: Name of an estimate, such as `held_out/x_mse`.
        paired: Which pairs of models are compared; their p-values are corrected over all pairs.

    Raises:
        DataError: there is one model only, a result lacks the figure, no seed is common, or the
            models are of several data sets.
    """
    of_model = _by_model(results, figure)
    seeds = _common_seeds(of_model)
    better = results[0].estimates[figure].better
    sign = 1.0 if better == "higher" else -1.0
    values = {
        name: np.array([found[seed].estimates[figure].value for seed in seeds])
        for name, found in of_model.items()
    }
    models = _models(of_model, values, sign, seeds)
    values = {model.name: model.values_S for model in models}
    quality_SM = sign * np.stack([model.values_S for model in models], axis=1)
    axes = tuple(results[0].cell["variant"])
    return Comparison(
        figure=figure,
        better=better,
        seeds=seeds,
        left_out=tuple(sorted({seed for found in of_model.values() for seed in found} - {*seeds})),
        cells=tuple(
            found[seed].provenance.cell_key for found in of_model.values() for seed in seeds
        ),
        axes=axes,
        models=models,
        pairs=_or_reason(lambda: _pairs(values, sign, paired)),
        effects=_or_reason(lambda: _effects(models, axes)),
        ranks=_or_reason(lambda: _ranks(list(values), quality_SM)),
    )


def document(found: Comparison) -> dict[str, Any]:
    """Return what `assay compare --json` writes; what is not known is null, or `reason`."""
    return {
        "figure": found.figure,
        "better": found.better,
        "seeds": list(found.seeds),
        "seeds_left_out": list(found.left_out),
        "models": [_plain(asdict(model)) for model in found.models],
        "pairs": _part(found.pairs, lambda pairs: [_plain(asdict(pair)) for pair in pairs]),
        "effects": _part(found.effects, lambda each: {"axes": found.axes, **_plain(asdict(each))}),
        "ranks": _part(found.ranks, lambda each: _plain(asdict(each))),
        "provenance": {
            "protocol": f"comparison {VERSION}", "cells": list(found.cells),
            "packages": package_versions(),
        },
    }  # fmt: skip


def seeds_text(found: SeedsNeeded) -> str:
    """Return a number of seeds in words."""
    if math.isnan(found.seeds):
        return "–"
    return f"{found.seeds:,.0f}" if math.isfinite(found.seeds) else f"over {MOST_SEEDS:,}"


def _by_model(results: Sequence[Result], figure: str) -> dict[str, dict[int, Result]]:
    named = names(results)
    found: dict[str, dict[int, Result]] = {}
    for result in results:
        key = result.provenance.cell_key
        estimate = result.estimates.get(figure)
        if estimate is None or estimate.n == 0:
            measured = sorted(name for name, each in result.estimates.items() if each.n)
            raise DataError(
                f"cell {key} ({named[key]}): {figure} is not measured, only "
                f"{', '.join(measured) or 'nothing'}"
            )
        of_model, seed = found.setdefault(named[key], {}), result.cell["seed"]
        if seed in of_model:
            other = of_model[seed].provenance.cell_key
            raise DataError(
                f"cells {other} and {key} are both {named[key]}, seed {seed}: they differ in "
                "data; compare them apart"
            )
        of_model[seed] = result
    require_one_version(results, figure)
    data = sorted({data_of(result) for result in results})
    if len(data) > 1:
        raise DataError(f"models are of several data sets, not comparable: {', '.join(data)}")
    if len(found) < 2:
        raise DataError("there is one model only: nothing to compare")
    return found


def data_of(result: Result) -> str:
    """Return the name of what a result is of, with its digest."""
    data = result.cell["data"]
    return f"{data['name']} ({data['digest'][:16]})"


def _common_seeds(of_model: Mapping[str, Mapping[int, Result]]) -> tuple[int, ...]:
    common = set.intersection(*(set(found) for found in of_model.values()))
    if not common:
        raise DataError("no seed is common to all models: nothing is paired")
    return tuple(sorted(common))


def _models(
    of_model: Mapping[str, Mapping[int, Result]],
    values: Mapping[str, NDArray[np.float64]],
    sign: float,
    seeds: Sequence[int],
) -> tuple[Model, ...]:
    costs_MQ = np.array(
        [
            [np.mean([getattr(found[seed].cost, cost) for seed in seeds]) for cost in COSTS]
            for found in of_model.values()
        ],
        np.float64,
    )
    quality_M = sign * np.array([values[name].mean() for name in of_model])
    # Floors cost no training: they are in no front, and none is off one for their sake.
    trained_M = np.array([any(r.cost.steps for r in found.values()) for found in of_model.values()])
    on_front_QM = np.zeros((len(COSTS), len(quality_M)), dtype=bool)
    for place, on_front_M in enumerate(on_front_QM):
        on_front_M[trained_M] = front(quality_M[trained_M], costs_MQ[trained_M][:, [place]])
    models = []
    for place, (name, found) in enumerate(of_model.items()):
        mean, ends = mean_over_seeds(values[name].tolist())
        middle, middle_ends = None, None
        if len(seeds) >= LEAST_SCORES:
            middle, middle_ends = interquartile_mean(values[name][:, None])
        models.append(
            Model(
                name, found[seeds[0]].cell["variant"], values[name], mean, ends, middle,
                middle_ends, dict(zip(COSTS, costs_MQ[place].tolist(), strict=True)),
                tuple(cost for cost, on_M in zip(COSTS, on_front_QM, strict=True) if on_M[place]),
            )
        )  # fmt: skip
    return tuple(sorted(models, key=lambda model: (-sign * model.mean, model.name)))


def _pairs(
    values: Mapping[str, NDArray[np.float64]], sign: float, paired: Paired
) -> tuple[Pair, ...]:
    if paired == "none":
        raise DataError("models are not compared in pairs here: ask `assay compare`")
    best, found = next(iter(values)), []
    for each in all_pairs(values):
        if paired == "best" and each.one != best:
            continue
        one_S, other_S = values[each.one], values[each.other]
        chance, ends = probability_of_improvement(sign * one_S[:, None], sign * other_S[:, None])
        found.append(Pair(each, chance, ends, seeds_needed((one_S - other_S).tolist())))
    return tuple(found)


def _ranks(named: Sequence[str], quality_SM: NDArray[np.float64]) -> Ranking:
    if quality_SM.shape[0] < 2:
        raise DataError("one seed: ranks take seeds as blocks; run two or more")
    return ranking(named, quality_SM)


def _effects(models: Sequence[Model], axes: Sequence[str]) -> Factorial:
    if len(axes) != 2:
        raise DataError(f"effects are of a grid with two axes, not with {len(axes)}")
    by_variant = {tuple(model.variant[axis] for axis in axes): model for model in models}
    if len(by_variant) < len(models):
        raise DataError("effects are of a plain grid; some variants have several models here")
    rows, columns = (
        list(dict.fromkeys(sorted(model.variant[axis] for model in models))) for axis in axes
    )
    missing = [f"{i}-{j}" for i, j in product(rows, columns) if (i, j) not in by_variant]
    if missing:
        raise DataError(f"effects are of a full grid, and there is no {', '.join(missing)}")
    values_IJS = np.array([[by_variant[i, j].values_S for j in columns] for i in rows])
    return factorial(rows, columns, values_IJS)


def _or_reason(make: Callable[[], PartT]) -> PartT | str:
    try:
        return make()
    except DataError as error:
        return str(error)


def _part(found: PartT | str, plain: Callable[[PartT], Any]) -> Any:
    return {"reason": found} if isinstance(found, str) else plain(found)


def _plain(value: Any) -> Any:
    """Return it as JSON has it: arrays as lists, and null for what is not finite."""
    if isinstance(value, Mapping):
        return {key.removesuffix("_S").removesuffix("_K"): _plain(x) for key, x in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
