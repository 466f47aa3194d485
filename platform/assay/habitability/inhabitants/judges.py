"""What tells how a network lives: judges learnt from real networks alone."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from assay.pathways.classifier import UptakeClassifier
from assay.pathways.evaluation import Oxygen
from assay.pathways.metrics.estimates import mean_over_graphs
from assay.pathways.metrics.reference import open_reference
from assay.pathways.task import PathwaysTask
from assay.pathways.thermometer import Thermometer, temperatures_K
from assay.task import Estimate

VERSION = "2"


@dataclass(frozen=True)
class Judges:
    """One for uptake of O2, that of `assay.pathways.evaluation`, and one for the temperature."""

    oxygen: UptakeClassifier | None
    """None where real networks tell too little."""
    oxygen_right: Estimate | None
    """Its share of right answers on held-out real networks, both classes alike."""
    thermometer: Thermometer | None
    """None where real networks tell too little, or it cannot be shown to tell held-out ones better
    than the mean of the others does."""
    error_K: Estimate | None
    """The mean size of its error on held-out real networks."""
    spread_K: float
    """The root mean square of that error; NaN without a thermometer."""
    range_K: tuple[float, float] | None
    """Coldest and warmest of the networks that the model learnt from, where any is known."""

    @classmethod
    def of(cls, task: PathwaysTask) -> Self:
        """Learn them from the training and validation splits of a cell's data set."""
        real, features_VF = open_reference(task.cell.data.name), task.corpus.features_VF.numpy()
        assert real.validation is not None, "a prepared set has splits"
        told_K = temperatures_K(task.train)
        told_K = told_K[np.isfinite(told_K)]
        oxygen = Oxygen(real, features_VF, 0, 0)
        thermometer = Thermometer.learnt(real.train, real.validation, features_VF)
        error_K, spread_K = None, np.nan
        if thermometer is not None:
            off_K, true_K = thermometer.errors_K(real.test)
            gained = (true_K - thermometer.mean_K) ** 2 - off_K**2
            gain = mean_over_graphs(gained, VERSION)
            if gain is None or gain.low <= 0:
                thermometer = None
            else:
                error_K = mean_over_graphs(np.abs(off_K), VERSION, "lower")
                spread_K = float(np.sqrt(np.mean(off_K**2)))
        return cls(
            oxygen.judge,
            oxygen.of_data().get("conditional/judge"),
            thermometer,
            error_K,
            spread_K,
            (float(told_K.min()), float(told_K.max())) if len(told_K) else None,
        )
