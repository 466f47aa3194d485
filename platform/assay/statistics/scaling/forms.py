"""Forms of scaling laws: a floor, and terms that fall as powers of size, data or compute.

Every form is L = E + Σ_t A_t / x_t^α_t, fitted as the logarithm of its loss. Hoffmann et al.,
"Training compute-optimal large language models", 2022, equation 2 (parameters and samples);
Muennighoff et al., "Scaling data-constrained language models", NeurIPS 2023, equation 5 (samples
that are repeated; that of parameters in excess is left out). In one size that law is E + B/D'^β:
its term of parameters is part of E.

Shapes: R runs, T terms, P = 1 + 2T parameters (one more where samples repeat), … any. A point θ is
(log E, c_1 … c_T, α_1 … α_T[, log R*]) with c_t the log of a term at the mean of log x_t: unlike
log A_t it hardly depends on α_t, which makes fitting quick.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.errors import DataError
from assay.statistics.scaling.runs import Runs, Values

Variable = Literal["params", "samples", "flops", "repeated"]
FormName = Literal["params_samples", "repeated", "repeated_samples", "params", "samples", "flops"]

_SYMBOLS: dict[Variable, tuple[str, str, str]] = {
    "params": ("A", "alpha", "N"),
    "samples": ("B", "beta", "D"),
    "repeated": ("B", "beta", "D'"),
    "flops": ("C", "gamma", "F"),
}
EXPONENTS = frozenset(exponent for _, exponent, _ in _SYMBOLS.values())
_LEAST_VALUES = 3
_SAME = 1e-6


@dataclass(frozen=True)
class Form:
    """A form by the variables of its terms."""

    name: FormName
    variables: tuple[Variable, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """(P,) names: E, then of each term its factor and exponent, then R_star."""
        named = [part for each in self.variables for part in _SYMBOLS[each][:2]]
        return ("E", *named, *(("R_star",) if self.repeats else ()))

    @property
    def formula(self) -> str:
        """As a person writes it."""
        terms = [f"{a}/{x}^{alpha}" for a, alpha, x in (_SYMBOLS[v] for v in self.variables)]
        meaning = "; D' = U + U R_star (1 - exp(-(D/U - 1)/R_star))" if self.repeats else ""
        return f"L = {' + '.join(['E', *terms])}{meaning}"

    @property
    def repeats(self) -> bool:
        """Samples seen again count less, the more often."""
        return "repeated" in self.variables

    def require(self, runs: Runs) -> None:
        """Refuse runs that cannot tell the parameters of this form, whatever their losses.

        Raises:
            DataError: a column is missing, runs are fewer than parameters, or they vary too little.
        """
        P = len(self.parameters)
        if len(runs) <= P:
            raise DataError(
                f"the {P} parameters of {self.formula} need more than {P} runs, not {len(runs)}"
            )
        columns = {each: _column(runs, each) for each in self.variables}
        for variable, column_R in columns.items():
            distinct = len(np.unique(column_R))
            name = "samples" if variable == "repeated" else variable
            if distinct < _LEAST_VALUES:
                seen = "all are equal" if distinct == 1 else f"{distinct} values"
                raise DataError(
                    f"{name}: {seen}; a floor and a power of it need at least {_LEAST_VALUES} "
                    "different values"
                )
        if self.repeats:
            self._require_repetitions(runs.samples_R / np.asarray(runs.unique_R))
        if np.all(runs.of_largest_budget_R):
            raise DataError(
                f"all budgets are equal: the runs lie within a tenth of {runs.budget_R.max():.3g} "
                f"{'params · samples' if runs.flops_R is None else 'FLOPs'}, where more of one is "
                "less of the other; a law needs other budgets, too"
            )
        if len(columns) == 2 and not (self.repeats and _records_vary(runs)):
            _require_apart(*columns.values())

    def _require_repetitions(self, times_R: Values) -> None:
        """Refuse runs that do not tell R_star: D' must not be in proportion to U in all of them."""
        if np.all(times_R <= 1):
            plain = "params_samples" if len(self.variables) == 2 else "samples"
            raise DataError(f"unique: no run repeats a sample; use the form {plain}")
        if np.ptp(times_R) < _SAME * times_R.max():
            raise DataError(
                f"unique: every run sees its samples {times_R[0]:.3g} times, so that what seeing "
                "them again is worth cannot be told; vary samples at a fixed number of records"
            )

    def inputs(self, runs: Runs) -> "Inputs":
        """Return the variables of the runs as `log_loss` takes them."""
        logs = np.log([_column(runs, each) for each in self.variables])
        repeats = None
        if self.repeats:
            unique_R = np.asarray(runs.unique_R)
            repeats = Repeats(np.log(unique_R), np.maximum(runs.samples_R / unique_R - 1, 0))
        return Inputs(logs, repeats)


@dataclass(frozen=True)
class Repeats:
    """How often samples were seen again."""

    log_unique_R: Values
    again_R: Values
    """D/U - 1."""


@dataclass(frozen=True)
class Inputs:
    """Variables of R runs; logarithms of samples are replaced where they repeat."""

    logs_TR: Values
    repeats: Repeats | None

    def log_loss(self, centre_T: Values, theta_xP: Values) -> tuple[Values, Values]:
        """Return (…, R) the log of the loss, and (…, R, P) its derivatives.

        Args:
            centre_T: the mean log x_t for which c_t is the log of a term.
            theta_xP: (…, P) points.
        """
        T = len(centre_T)
        logs_xTR = np.broadcast_to(self.logs_TR, (*theta_xP.shape[:-1], *self.logs_TR.shape))
        slope_xR = None
        if self.repeats is not None:
            log_worth_xR, slope_xR = self._worth(theta_xP[..., -1])
            logs_xTR = np.concatenate([logs_xTR[..., :-1, :], log_worth_xR[..., None, :]], axis=-2)
        alpha_xT1 = theta_xP[..., 1 + T : 1 + 2 * T, None]
        terms_xTR = theta_xP[..., 1 : 1 + T, None] - alpha_xT1 * (logs_xTR - centre_T[:, None])
        floor_x1R = np.broadcast_to(theta_xP[..., :1, None], (*terms_xTR.shape[:-2], 1, 1))
        floor_x1R = np.broadcast_to(floor_x1R, (*terms_xTR.shape[:-2], 1, terms_xTR.shape[-1]))
        parts_xSR = np.concatenate([floor_x1R, terms_xTR], axis=-2)
        top_x1R = parts_xSR.max(axis=-2, keepdims=True)
        shares_xSR = np.exp(parts_xSR - top_x1R)
        total_x1R = shares_xSR.sum(axis=-2, keepdims=True)
        log_loss_xR = (top_x1R + np.log(total_x1R))[..., 0, :]
        shares_xSR = shares_xSR / total_x1R
        of_alpha_xTR = -shares_xSR[..., 1:, :] * (logs_xTR - centre_T[:, None])
        slopes = [shares_xSR, of_alpha_xTR]
        if slope_xR is not None:
            of_repeats_xR = -shares_xSR[..., -1, :] * alpha_xT1[..., -1, :] * slope_xR
            slopes.append(of_repeats_xR[..., None, :])
        return log_loss_xR, np.concatenate(slopes, axis=-2).swapaxes(-1, -2)

    def _worth(self, log_r_x: Values) -> tuple[Values, Values]:
        """Return (…, R) log D', what the samples are worth as new ones, and d log D' / d log R*."""
        assert self.repeats is not None, "only a form with repetitions asks"
        r_x1 = np.exp(np.clip(log_r_x, -20, 20))[..., None]
        often_xR = self.repeats.again_R / r_x1
        gained_xR = -np.expm1(-often_xR)
        factor_xR = 1 + r_x1 * gained_xR
        slope_xR = r_x1 * (gained_xR - often_xR * np.exp(-often_xR)) / factor_xR
        return self.repeats.log_unique_R + np.log(factor_xR), slope_xR


FORMS: dict[FormName, Form] = {
    form.name: form
    for form in (
        Form("params_samples", ("params", "samples")),
        Form("repeated", ("params", "repeated")),
        Form("repeated_samples", ("repeated",)),
        Form("params", ("params",)),
        Form("samples", ("samples",)),
        Form("flops", ("flops",)),
    )
}


def possible(runs: Runs) -> Sequence[Form]:
    """Return the forms whose parameters the runs could tell."""
    found = []
    for form in FORMS.values():
        try:
            form.require(runs)
        except DataError:
            continue
        found.append(form)
    return found


def _records_vary(runs: Runs) -> bool:
    """Say whether runs of equal samples have different numbers of distinct ones."""
    pairs_2R = np.stack([runs.samples_R, np.asarray(runs.unique_R)])
    return np.unique(pairs_2R, axis=1).shape[1] > len(np.unique(runs.samples_R))


def _require_apart(params_R: Values, samples_R: Values) -> None:
    """Refuse runs along one line of both."""
    together = np.corrcoef(np.log(params_R), np.log(samples_R))[0, 1]
    if abs(together) > 1 - _SAME:
        how = "rise together" if together > 0 else "are traded for each other along one line"
        raise DataError(
            f"params and samples {how} in all runs: their parts of the loss cannot be told apart; "
            "vary one at a fixed other"
        )


def _column(runs: Runs, variable: Variable) -> Values:
    found = {
        "params": runs.params_R, "samples": runs.samples_R, "repeated": runs.samples_R,
        "flops": runs.flops_R,
    }[variable]  # fmt: skip
    if found is None:
        raise DataError("flops: the runs have no such column, and this form needs it")
    if variable == "repeated" and runs.unique_R is None:
        raise DataError("unique: the runs have no such column, and repeated samples need it")
    return found
