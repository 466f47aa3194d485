"""Which settings of a search matter: shares of variance, and of what leads to the front.

fANOVA: Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter importance",
ICML 2014. PED-ANOVA: Watanabe, Bansal, Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
importance in arbitrary subspaces", IJCAI 2023. Both are computed by Optuna, and on bootstrap
resamples of the trials too: of a few dozen trials a share alone says little.

Shapes: T trials, Q objectives, D settings, R resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.trial import create_trial

from assay.errors import DataError
from assay.statistics.intervals import CONFIDENCE, Interval

LEAST_TRIALS = 8
RESAMPLES = 100
TREES = 32
BEST = 5
"""Trials at least among which PED-ANOVA looks for what they have in common."""
BEST_SHARE = 0.1
Values = NDArray[np.float64]
optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of every study that is made


@dataclass(frozen=True)
class Importance:
    """Of one setting; those of all settings sum to 1."""

    name: str
    share: float
    low: float
    """Ends of the 95 % interval over resampled trials."""
    high: float


def of_variance(
    settings: Mapping[str, Values],
    ranges: Mapping[str, Interval],
    figure_T: Values,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> list[Importance]:
    """Return each setting's share of a figure's variance over its whole range, by fANOVA.

    Alone, without interactions, as far as a random forest of the trials can tell.

    Args:
        settings: (T,) each, by name, on the scale on which its range counts as uniform: the
            logarithm of a setting that is searched on a log scale.
        ranges: Lowest and highest, on the same scale.
        figure_T: (T,) of what is judged.
        resamples: R.
        seed: of the forest and the resampling.
        confidence: of the intervals.

    Raises:
        DataError: there are too few trials, all have one figure, or a value is not finite.
    """
    forest = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
    return _resampled(settings, ranges, figure_T[:, None], forest, resamples, seed, confidence)


def of_reaching_the_front(
    settings: Mapping[str, Values],
    ranges: Mapping[str, Interval],
    losses_TQ: Values,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> list[Importance]:
    """Return what the best trials have in common that others have not, by PED-ANOVA.

    With several objectives the best are those nearest to the front, with none preferred.

    Args:
        settings: As in `of_variance`.
        ranges: As there.
        losses_TQ: (T, Q), the lower the better.
        resamples: R.
        seed: of the resampling.
        confidence: of the intervals.

    Raises:
        DataError: as in `of_variance`.
    """
    best = PedAnovaImportanceEvaluator(
        target_quantile=min(0.5, max(BEST_SHARE, BEST / max(1, len(losses_TQ))))
    )
    return _resampled(settings, ranges, losses_TQ, best, resamples, seed, confidence)


def _resampled(
    settings: Mapping[str, Values],
    ranges: Mapping[str, Interval],
    losses_TQ: Values,
    evaluator: BaseImportanceEvaluator,
    resamples: int,
    seed: int,
    confidence: float,
) -> list[Importance]:
    T = len(losses_TQ)
    _require_trials(settings, losses_TQ)
    generator = np.random.default_rng(seed)
    whole = _shares(settings, ranges, losses_TQ, evaluator)
    drawn_RT = generator.integers(T, size=(resamples, T))
    # A resample of trials with one figure has no variance to share.
    spread = [rows_T for rows_T in drawn_RT if (np.ptp(losses_TQ[rows_T], axis=0) > 0).all()]
    found = [
        _shares(
            {k: x_T[rows_T] for k, x_T in settings.items()}, ranges, losses_TQ[rows_T], evaluator
        )
        for rows_T in spread
    ]
    tail = (1 - confidence) / 2
    importances = []
    for name, share in whole.items():
        low, high = np.quantile([shares[name] for shares in found], [tail, 1 - tail])
        importances.append(Importance(name, share, float(low), float(high)))
    return sorted(importances, key=lambda each: -each.share)


def _shares(
    settings: Mapping[str, Values],
    ranges: Mapping[str, Interval],
    losses_TQ: Values,
    evaluator: BaseImportanceEvaluator,
) -> dict[str, float]:
    study = optuna.create_study(directions=["minimize"] * losses_TQ.shape[1])
    distributions = {name: FloatDistribution(*ranges[name]) for name in settings}
    study.add_trials(
        [
            create_trial(
                params={name: float(x_T[t]) for name, x_T in settings.items()},
                distributions=dict(distributions),
                values=losses_Q.tolist(),
            )
            for t, losses_Q in enumerate(losses_TQ)
        ]
    )
    return {
        name: float(share)
        for name, share in get_param_importances(study, evaluator=evaluator).items()
    }


def _require_trials(settings: Mapping[str, Values], losses_TQ: Values) -> None:
    T = len(losses_TQ)
    if T < LEAST_TRIALS:
        raise DataError(
            f"{T} complete trials: what matters can be told from {LEAST_TRIALS} or more; raise "
            "search.trials"
        )
    if not all(np.isfinite(each).all() for each in (losses_TQ, *settings.values())):
        raise DataError("a setting or a figure of a trial is not finite")
    if (np.ptp(losses_TQ, axis=0) == 0).any():
        raise DataError("a figure is the same in all trials: nothing matters to it")
