"""How properties of a cell's samples are distributed, beside those of the test split.

`distributions.json` among a cell's artifacts holds histograms of a few kB. Their bins follow from
the test split alone, so that they are the same for all cells of a data set. The report is made of
results alone, without the data set: what a figure says stands in the file.

Shapes: M values, one a record, nan or infinite where a record has none; B bins.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, model_validator

from assay.config import Settings

FILE = "distributions.json"
VERSION = "1"
"""Changes whenever a value could: what is kept of the test split is computed again."""
MOST_REFERENCE = 10_000
"""Test records that are described; of more, that many are drawn, once."""
_BINS = 48
_MARGIN = 0.25
"""Of the reference's span, on either side: what lies further out is counted, and not binned."""
_DIGITS = 6

TITLES: Mapping[str, tuple[str, str]] = {
    "atoms": ("Number of atoms", ""),
    "weight": ("Molecular weight", "g/mol"),
    "logp": ("logP", ""),
    "density": ("Density", "g/cm³"),
    "elements": ("Number of elements", ""),
}
"""Title and unit by name. Counts are whole numbers, and have bins around them."""
_WHOLE = ("atoms", "elements")


class Counts(Settings):
    """Where the values of one side lie; every record is counted once."""

    within: list[NonNegativeInt]
    """(B,)."""
    below: NonNegativeInt
    above: NonNegativeInt
    unknown: NonNegativeInt
    """Records that have no such value, as a molecule that is not valid has no logP."""
    quartiles: tuple[float, float, float] | None
    """Of the known values; None where none is known."""

    @property
    def known(self) -> int:
        """Records that have the value."""
        return sum(self.within) + self.below + self.above


class Histogram(Settings):
    """One property of samples and of the reference, in shared bins."""

    name: str
    title: str
    unit: str
    edges: list[float]
    """(B + 1,) ascending; a bin holds its lower edge, the last one both."""
    samples: Counts
    reference: Counts

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        bins = len(self.edges) - 1
        if bins < 1 or any(len(side.within) != bins for side in (self.samples, self.reference)):
            raise ValueError(f"there are {len(self.edges)} edges, and not one more than counts")
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must ascend")
        return self


class Distributions(Settings):
    """The file."""

    reference: str
    """What samples are held against, in words."""
    histograms: list[Histogram]


def distributions(
    samples: Mapping[str, NDArray[np.float64]],
    reference: Mapping[str, NDArray[np.float64]],
    title: str,
) -> Distributions:
    """Return histograms of every property that some record of the reference has.

    Args:
        samples: values (M,) by name, of `TITLES`.
        reference: the same of real records.
        title: of the reference.
    """
    found = []
    for name, values_M in samples.items():
        edges = _edges(reference[name], whole=name in _WHOLE)
        if edges is None:
            continue
        shown, unit = TITLES[name]
        found.append(
            Histogram(
                name=name, title=shown, unit=unit, edges=edges.tolist(),
                samples=_counts(values_M, edges), reference=_counts(reference[name], edges),
            )
        )  # fmt: skip
    return Distributions(reference=title, histograms=found)


def _edges(values_M: NDArray[np.float64], whole: bool) -> NDArray[np.float64] | None:
    """Return (B + 1,) edges from below the least known value to above the greatest."""
    known = values_M[np.isfinite(values_M)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    room = _MARGIN * ((high - low) or 1.0)
    if whole:
        low, high = max(1.0, low - np.ceil(room)), high + np.ceil(room)
        width = np.ceil((high - low + 1) / _BINS)
        return np.arange(low - 0.5, high + 0.5 + width, width)
    return np.linspace(low - room, high + room, _BINS + 1).round(_DIGITS)


def _counts(values_M: NDArray[np.float64], edges: NDArray[np.float64]) -> Counts:
    known = values_M[np.isfinite(values_M)]
    return Counts(
        within=np.histogram(known, edges)[0].tolist(),
        below=int((known < edges[0]).sum()),
        above=int((known > edges[-1]).sum()),
        unknown=len(values_M) - len(known),
        quartiles=_quartiles(known) if len(known) else None,
    )


def _quartiles(known: NDArray[np.float64]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75)).round(_DIGITS).tolist()
    return low, middle, high
