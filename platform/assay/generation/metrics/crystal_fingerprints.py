"""What CDVAE's coverage sees of a crystal: how its sites are coordinated, and what it is made of.

A crystal's structure is the mean over its sites of the probability of each coordination number and
of the order parameters of each shell ("ops" of matminer's CrystalNNFingerprint); its composition is
statistics of tabulated properties of its elements (Magpie; Ward et al., npj Comput. Mater. 2
(2016) 16028). Both are derived anew, without matminer: docs/adr/0006 says why and how exactly.

Shapes: M crystals, K compositions, E elements of each (padded), W = 22 properties.
"""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import HIGHEST, SYMBOLS
from assay.chemistry.extras import needing
from assay.errors import MachineError
from assay.generation.metrics.crystal_order import PARAMETERS, order_parameters
from assay.generation.metrics.crystal_sites import shells
from assay.generation.metrics.crystal_validity import compositions
from assay.generation.metrics.parallel import spread

LARGEST_SHELL = 24

STRUCTURE_SIZE = LARGEST_SHELL + sum(len(parameters) for parameters in PARAMETERS.values())
"""Numbers that say what a structure is: 61."""

COMPOSITION_SIZE = 132
"""Numbers that say what a composition is."""

_CRYSTALS_AT_ONCE = 100
_CRYSTALS_A_PROCESS = 400  # fewer are done before a further process has started
_IMPUTED = {
    "MeltingT": ("He", "Fr"),
    "CovalentRadius": ("Bk",),
    "Electronegativity": ("He", "Ne", "Ar", "Rn"),
    "SpaceGroupNumber": ("At", "Rn", "Fr"),
}
"""What smact fills in where Magpie, and so the published protocol, has no value."""

_TABLES = "9e6ab0fa05f39cc9"
"""SHA-256 of the table that the protocol is defined with, first 16 digits."""


def structure_fingerprints(crystals: Crystals, processes: int = 1) -> NDArray[np.float64]:
    """Return (M, STRUCTURE_SIZE) the fingerprints; nan where a crystal has none.

    Args:
        crystals: to look at.
        processes: 1 works in this process; more are spawned, so a script that asks for them must
            guard its main part by `if __name__ == "__main__"`.

    Raises:
        MachineError: pymatgen is missing.
    """
    if len(crystals) == 0:
        return np.zeros((0, STRUCTURE_SIZE))
    cuts = range(_CRYSTALS_AT_ONCE, len(crystals), _CRYSTALS_AT_ONCE)
    parts = [crystals.select(rows) for rows in np.split(np.arange(len(crystals)), cuts)]
    workers = min(processes, len(crystals) // _CRYSTALS_A_PROCESS)
    return np.stack(spread(_structure_fingerprints, parts, workers))


def composition_fingerprints(crystals: Crystals) -> NDArray[np.float64]:
    """Return (M, COMPOSITION_SIZE) minimum, maximum, range, mean, mean deviation and mode.

    Of each property in turn, weighted by how many atoms an element has. They are standardised by
    the published means and deviations; what is not known is 0, the mean of other crystals.

    Raises:
        MachineError: smact is missing, or is a version with another table.
    """
    if len(crystals) == 0:
        return np.zeros((0, COMPOSITION_SIZE))
    kinds, which = compositions(crystals)
    E = max(1, int((kinds > 0).sum(1).max()))
    numbers_KE = np.argsort(kinds == 0, axis=1, kind="stable")[:, :E]
    statistics_K6W = _statistics(numbers_KE, np.take_along_axis(kinds, numbers_KE, axis=1))
    means_W6, deviations_W6 = _scaler()
    standard_KW6 = (statistics_K6W.transpose(0, 2, 1) - means_W6) / deviations_W6
    found = np.nan_to_num(standard_KW6.reshape(len(kinds), COMPOSITION_SIZE), nan=0.0)
    return found[which]


def _structure_fingerprints(crystals: Crystals) -> list[NDArray[np.float64]]:
    found, failed = shells(crystals)
    lengths = [1 + len(PARAMETERS.get(size, ())) for size in range(1, LARGEST_SHELL + 1)]
    columns = np.cumsum([0, *lengths])
    of_sites = np.zeros((len(crystals.numbers), STRUCTURE_SIZE))
    for size in range(1, LARGEST_SHELL + 1):
        chosen = np.flatnonzero(found.size == size)
        site, probability = found.site[chosen], found.probability[chosen, None]
        begin, end = columns[size - 1], columns[size]
        of_sites[site, begin] = probability[:, 0]
        if size in PARAMETERS and len(chosen):
            unit_Gn3 = found.directions[found.first[chosen, None] + np.arange(size)]
            of_sites[site, begin + 1 : end] = probability * order_parameters(unit_Gn3)
    totals = np.zeros((len(crystals), STRUCTURE_SIZE))
    np.add.at(totals, crystals.owner, of_sites)
    totals[failed] = np.nan
    return list(totals / np.maximum(crystals.n_atoms, 1)[:, None])


def _statistics(numbers_KE: NDArray[np.int64], counts_KE: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (K, 6, W) the statistics of each property; nan where an element has no value."""
    values_KEW = _magpie()[numbers_KE]
    present_KE1 = np.greater(counts_KE, 0)[..., None]
    weights_KE1 = (counts_KE / np.maximum(counts_KE.sum(1, keepdims=True), 1))[..., None]
    unknown_K1W = np.any(np.isnan(values_KEW) & present_KE1, axis=1, keepdims=True)
    filled_KEW = np.where(present_KE1, np.nan_to_num(values_KEW), 0.0)
    lowest_KW = np.where(present_KE1, filled_KEW, np.inf).min(1)
    highest_KW = np.where(present_KE1, filled_KEW, -np.inf).max(1)
    mean_KW = (filled_KEW * weights_KE1).sum(1)
    deviation_KW = (np.abs(filled_KEW - mean_KW[:, None]) * weights_KE1).sum(1)
    commonest_KE = np.equal(counts_KE, counts_KE.max(1, keepdims=True))
    most_KE1 = present_KE1 & commonest_KE[..., None]
    mode_KW = np.where(most_KE1, values_KEW, np.inf).min(1)  # nan, if the commonest has no value
    five = np.stack([lowest_KW, highest_KW, highest_KW - lowest_KW, mean_KW, deviation_KW], 1)
    known_K5W = np.where(unknown_K1W, np.nan, five)
    return np.concatenate([known_K5W, mode_KW[:, None]], axis=1)


@functools.cache
def _scaler() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (W, 6) means and standard deviations that CDVAE published."""
    found = json.loads(Path(__file__).with_name("cdvae_scaler.json").read_text(encoding="utf-8"))
    rows = found["properties"].values()
    return np.array([row["mean"] for row in rows]), np.array([row["std"] for row in rows])


@functools.cache
def _magpie() -> NDArray[np.float64]:
    """Return (HIGHEST + 1, W) Magpie's properties by atomic number; nan where not known."""
    with needing("crystals"):
        from smact.data_loader import lookup_element_magpie_data
    text = Path(__file__).with_name("cdvae_scaler.json").read_text(encoding="utf-8")
    names = list(json.loads(text)["properties"])
    table = np.full((HIGHEST + 1, len(names)), np.nan)
    for number, symbol in enumerate(SYMBOLS[1:], start=1):
        row = lookup_element_magpie_data(symbol)
        if row is not None:
            known = [symbol not in _IMPUTED.get(name, ()) for name in names]
            table[number] = np.where(known, [row[name] for name in names], np.nan)
    if hashlib.sha256(table.tobytes()).hexdigest()[:16] != _TABLES:
        raise MachineError(
            "smact: its Magpie table is not the one that the protocol cdvae is defined with; run "
            "`pip install smact==4.0.2`"
        )
    return table
