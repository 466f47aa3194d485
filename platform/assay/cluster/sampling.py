"""Optuna's samplers for a search, seeded so that a proposal does not depend on interruptions."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import (
    BaseSampler,
    GridSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import Study
from optuna.trial import FrozenTrial

from assay.search import NSGA2_POPULATION, TPE_STARTUP, Dimension, Search


def distributions(space: Mapping[str, Dimension]) -> dict[str, BaseDistribution]:
    """Return the space in Optuna's terms, in the order of its keys."""
    return {key: _distribution(space[key]) for key in sorted(space)}


def _distribution(dimension: Dimension) -> BaseDistribution:
    low, high = dimension.ends
    if dimension.choice is not None:
        return CategoricalDistribution(dimension.choice)
    if dimension.int is not None:
        step = round(dimension.step or 1)
        return IntDistribution(low, high, log=dimension.log, step=step)
    return FloatDistribution(low, high, log=dimension.log, step=dimension.step)


def sampler(search: Search) -> BaseSampler:
    """Return the sampler that a search asks for."""
    if search.algorithm == "grid":
        values = {key: dimension.values() for key, dimension in search.space.items()}
        return ReseededSampler(lambda seed: GridSampler(values, seed=search.seed), search.seed)
    makers: Mapping[str, Callable[[int], BaseSampler]] = {
        "random": lambda seed: RandomSampler(seed=seed),
        "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=search.startup or TPE_STARTUP),
        "nsga2": lambda seed: NSGAIISampler(
            seed=seed, population_size=search.population or NSGA2_POPULATION
        ),
    }
    return ReseededSampler(makers[search.algorithm], search.seed)


class ReseededSampler(BaseSampler):
    """A sampler that is made anew for every draw, from (search seed, trial number, what is drawn).

    Optuna's samplers keep a generator whose state is lost with the process, so that a search that
    is resumed would propose something else than one that never stopped. Here a proposal depends
    on the seed, the trial's number and the trials that are finished, all of which are in the
    database. Even a trial whose process died between two parameters is completed to what it
    would have been.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the sampler note what it must about the trial, such as its point of the grid."""
        self._fresh(trial, "").before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn jointly."""
        return self._fresh(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw jointly."""
        return self._fresh(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter."""
        return self._fresh(trial, param_name).sample_independent(
            study, trial, param_name, param_distribution
        )

    # `after_trial` stays empty: of these samplers only the grid's does anything there, and what it
    # does is stop `Study.optimize`, which nobody runs.

    def _fresh(self, trial: FrozenTrial, drawn: str) -> BaseSampler:
        return self._make(zlib.crc32(f"{self._seed}/{trial.number}/{drawn}".encode()))
