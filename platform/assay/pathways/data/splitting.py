"""Splits by family, for sources that bring none: a hash decides, so that no graph moves another."""

import hashlib

from assay.store.packed import Split

_BOUNDS: tuple[tuple[Split, int], ...] = (("train", 70), ("validation", 85), ("test", 100))
"""Shares of families in per cent, cumulated."""


def split_of(family: str) -> Split:
    """Return the split of a family and of every graph in it: 70, 15 and 15 % of families."""
    percent = int.from_bytes(hashlib.sha256(family.encode()).digest()[:8], "big") % 100
    return next(split for split, bound in _BOUNDS if percent < bound)
