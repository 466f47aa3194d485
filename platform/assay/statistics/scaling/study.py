"""Everything that finished runs say about scaling, each part with its interval or its refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from assay.errors import DataError
from assay.statistics.scaling.extrapolation import Extrapolation, extrapolate
from assay.statistics.scaling.fit import Fit, Watch, fit
from assay.statistics.scaling.forms import EXPONENTS, FORMS, Form, FormName, possible
from assay.statistics.scaling.isoflop import IsoFLOP, isoflop
from assay.statistics.scaling.optimum import Optimum, optimum
from assay.statistics.scaling.runs import Runs

_BUDGETS = 13

PartT = TypeVar("PartT")
Choice = Literal["auto"] | FormName


@dataclass(frozen=True)
class Study:
    """A law, what follows from it, and how it stands beside other forms."""

    law: Fit
    others: tuple[Fit, ...]
    """Every form that the runs could tell, the law among them, best first by AICc."""
    best: Optimum | str
    """The best sizes for budgets from the least to ten times the largest; or why there is none."""
    valleys: IsoFLOP | str
    held_out: Extrapolation | str
    passed_over: str = ""
    """Why a form that the runs could tell by their design is not the law's, where one is not."""


def study(
    runs: Runs,
    form: Choice = "auto",
    bootstraps: int = 1000,
    seed: int = 0,
    watch: Callable[[str, float], None] | None = None,
) -> Study:
    """Fit a law to runs, with all that follows from it.

    Raises:
        DataError: the runs cannot tell the parameters of the form, or of any form.
    """
    chosen, why = _choose(runs, form), ""
    law = fit(chosen, runs, bootstraps, seed, _phase(watch, "fitting"))
    others = [law if each is chosen else fit(each, runs, 0) for each in possible(runs)]
    simpler = min(others, key=lambda each: each.aicc)
    if form == "auto" and len(simpler.theta_P) < len(law.theta_P) and (unknown := _unknown(law)):
        why = f"{chosen.formula} is passed over, whose AICc is no better: {unknown}"
        others = [each for each in others if each is not simpler]
        chosen = simpler.form
        law = fit(chosen, runs, bootstraps, seed, _phase(watch, "fitting"))
        others.append(law)
    budgets_G = np.geomspace(runs.budget_R.min(), 10 * runs.budget_R.max(), _BUDGETS)
    return Study(
        law,
        tuple(sorted(others, key=lambda each: each.aicc)),
        _or_reason(lambda: optimum(law, budgets_G)),
        _or_reason(lambda: isoflop(runs, bootstraps, seed)),
        _or_reason(
            lambda: extrapolate(chosen, runs, bootstraps, seed, _phase(watch, "extrapolating"))
        ),
        why,
    )


def _choose(runs: Runs, form: Choice) -> Form:
    if form != "auto":
        return FORMS[form]
    found = {each.name: each for each in possible(runs)}
    order: tuple[FormName, ...] = (
        "repeated", "params_samples", "repeated_samples", "params", "samples", "flops",
    )  # fmt: skip
    for name in order:
        if name in found:
            return found[name]
    FORMS["params_samples"].require(runs)
    raise AssertionError("the form of params and samples was possible after all")


def _unknown(law: Fit) -> str:
    """Return which exponent, or R_star, the runs do not tell, and why; "" where they tell all."""
    for name, each in law.parameters().items():
        if name in EXPONENTS | {"R_star"} and each.refusal:
            return f"{name}: {each.refusal}"
    return ""


def _or_reason(make: Callable[[], PartT]) -> PartT | str:
    try:
        return make()
    except DataError as error:
        return str(error)


def _phase(watch: Callable[[str, float], None] | None, phase: str) -> Watch | None:
    return None if watch is None else lambda done: watch(phase, done)
