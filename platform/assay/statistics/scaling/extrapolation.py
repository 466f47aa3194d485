"""How well a law foretells the largest budget, when it has seen only the smaller ones.

Shapes: R runs, H runs that are held out.
"""

from dataclasses import dataclass

import numpy as np

from assay.errors import DataError
from assay.statistics.scaling.fit import Fit, Watch, fit
from assay.statistics.scaling.forms import Form
from assay.statistics.scaling.runs import Runs, Values


@dataclass(frozen=True)
class Extrapolation:
    """Runs of the largest budget beside what a law fitted to the others says of them."""

    of_others: Fit
    held_out: Runs
    predicted_H: Values
    low_H: Values
    high_H: Values
    """Ends of the interval of the law; noise of single runs is not in it."""

    @property
    def begun_with_others(self) -> int:
        """How many of the held-out runs share a beginning with runs that were fitted."""
        fitted, mine = self.of_others.runs.chain_R, self.held_out.chain_R
        return 0 if fitted is None or mine is None else int(np.isin(mine, fitted).sum())

    @property
    def error(self) -> float:
        """Mean of log L̂ - log L: a relative error that keeps its sign."""
        return float(np.log(self.predicted_H / self.held_out.loss_R).mean())

    @property
    def times_further(self) -> float:
        """The held-out budget over the largest that was fitted."""
        return float(self.held_out.budget_R.max() / self.of_others.runs.budget_R.max())


def extrapolate(
    form: Form, runs: Runs, bootstraps: int, seed: int = 0, watch: Watch | None = None
) -> Extrapolation:
    """Fit the law without the runs of the largest budget, and foretell them.

    Raises:
        DataError: the other runs cannot tell the parameters of the form.
    """
    largest_R = runs.of_largest_budget_R
    try:
        of_others = fit(form, runs.at(~largest_R), bootstraps, seed, watch)
    except DataError as error:
        raise DataError(f"without the runs of the largest budget: {error}") from None
    held_out = runs.at(largest_R)
    return Extrapolation(of_others, held_out, *of_others.predict(held_out))
