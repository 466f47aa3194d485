"""Which modalities matter: any of them missing, and each taken from other planets.

All 2^M sets of modalities that may be read; and, of each modality, planets that are given that of
another one. What a model owes to a modality it loses then. Rises of the mean absolute error are
paired: of the same planets, in the same resamples.

Shapes: N records, M modalities.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.metrics.habitability import explained
from assay.habitability.metrics.units import Units, mean_of
from assay.task import Estimate

VERSION = "1"
PERMUTATIONS = 8

Foretell = Callable[[NDArray[np.bool_]], NDArray[np.float64]]
"""Of modalities that may be read, bool (M,): what is expected of the records (N,)."""
ForetellSwapped = Callable[[int, NDArray[np.int64]], NDArray[np.float64]]
"""Of a modality and the records that lend it (N,): the same."""


@dataclass(frozen=True)
class Control:
    """What was measured."""

    subsets: list[Mapping[str, Any]] = field(default_factory=list)
    """2^M rows: `modalities` that were read, `r2` and `mae`, each an Estimate as plain JSON."""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    """`modalities/without_<name>`, `modalities/shuffled_<name>`: how much the error rises."""

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        rises = {name: each.model_dump(mode="json") for name, each in self.estimates.items()}
        return {"subsets": self.subsets, "rises": rises}


def control(
    foretell: Foretell,
    swapped: ForetellSwapped,
    reads: tuple[Modality, ...],
    label_N: NDArray[np.floating],
    presence_NM: NDArray[np.bool_],
    units: Units,
    seed: int,
    watch: Callable[[float], None] = lambda fraction: None,
) -> Control:
    """Try a model with any modalities missing, and with each from other planets.

    Args:
        foretell: The model, given what it may read.
        swapped: The model, given whose modality is read.
        reads: What it reads at all; only these have rises.
        label_N: The truth.
        presence_NM: Which modalities there are.
        units: A modality is only ever taken from another unit.
        seed: Of resampling and of the permutations.
        watch: Told the fraction that is done.
    """
    found, whole = Control(), np.ones(len(MODALITIES), bool)
    own_N = np.abs(label_N - foretell(whole))

    def rise(error_N: NDArray[np.floating], note: str) -> Estimate:
        version = f"{VERSION}: {len(label_N)} records{note}"
        return units.estimate(mean_of(error_N - own_N), version, "higher", seed)

    for done, bits in enumerate(product((False, True), repeat=len(MODALITIES))):
        watch(done / 2 ** len(MODALITIES))
        kept = np.array(bits)
        expected_N = foretell(kept)
        error_N = np.abs(label_N - expected_N)
        row = {
            "r2": units.estimate(explained(label_N, expected_N), VERSION, "higher", seed),
            "mae": units.estimate(mean_of(error_N), VERSION, "lower", seed),
        }
        names = [name for name, is_kept in zip(MODALITIES, bits, strict=True) if is_kept]
        dumped = {key: each.model_dump(mode="json") for key, each in row.items()}
        found.subsets.append({"modalities": names, **dumped})
        gone = [name for name in reads if name not in names]
        if len(gone) == 1 and len(names) == len(MODALITIES) - 1:
            found.estimates[f"modalities/without_{gone[0]}"] = rise(error_N, "")
    for name in reads:
        m = MODALITIES.index(name)
        lenders = [
            others(units, presence_NM[:, m], np.random.default_rng([seed, m, k]))
            for k in range(PERMUTATIONS)
        ]
        errors = [np.abs(label_N - swapped(m, each_N)) for each_N in lenders if each_N is not None]
        if errors:
            note = f", {PERMUTATIONS} permutations"
            found.estimates[f"modalities/shuffled_{name}"] = rise(np.mean(errors, axis=0), note)
    return found


def others(
    units: Units, there_N: NDArray[np.bool_], draw: np.random.Generator
) -> NDArray[np.int64] | None:
    """Return (N,) whose modality each record is given: another unit's, at random.

    A record that lacks it keeps lacking it. None where one unit holds more than half of them.
    """
    of_N = units.of_N
    rank_U = draw.permutation(len(units))
    there = np.flatnonzero(there_N)
    there = there[np.argsort(rank_U[of_N[there]], kind="stable")]
    largest = int(np.bincount(of_N[there], minlength=1).max(initial=0))
    if not largest or len(there) < 2 * largest:
        return None
    found_N = np.arange(len(there_N))
    # Units lie side by side: as far off as the largest is wide, there is always another one.
    found_N[there] = np.roll(there, largest)
    return found_N
