"""ogbl-ddi with unseen drugs: a tenth of the drugs has no training edge, another none to test on.

The official split hides edges; every drug has others. Here drugs are hidden, which is how a new
drug comes: nothing is known of it but its structure and its proteins. A learned row of it stays
what it was drawn as, so that features are all there is.

Shapes: V nodes, E edges, N fixed negatives.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.interactions.data.links import HELD_OUT, check_links
from assay.interactions.data.ogbl_ddi import OGBLDDI, arrays_of
from assay.interactions.data.ogbl_ddi_files import Links
from assay.store.sets import Built

HIDDEN = {"validation": 1, "test": 2}
"""The split that a drug is hidden for, where the hash of its id modulo 10 is 0 or 1."""
NEGATIVES = 100_000
"""Of validation, and as many of test."""


class OGBLDDICold(OGBLDDI):
    """All edges of ogbl-ddi, split by drugs."""

    name = "ogbl_ddi_cold"
    title = "ogbl-ddi with unseen drugs: split by drugs instead of edges"
    version = 1
    folder = "ogbl_ddi"

    def pack(self, links: Links) -> Built:
        """Return the arrays and what they hold in one line."""
        arrays = split_by_drugs(arrays_of(links), links.drugs)
        check_links(arrays, self.name)
        counts = np.bincount(arrays["split"], minlength=3)
        hidden = [int((hidden_for(links.drugs) == code).sum()) for code in (1, 2)]
        parts = " / ".join(f"{count:,}" for count in counts)
        return Built(
            arrays,
            f"ogbl-ddi with unseen drugs: of {len(links.drugs):,} drugs {hidden[0]:,} are hidden "
            f"for validation and {hidden[1]:,} for test; {parts} edges (train / validation / "
            f"test), held out are those between an unseen and a training drug; {NEGATIVES:,} fixed "
            "negatives of the same kind each",
        )


OGBL_DDI_COLD = OGBLDDICold()


def hidden_for(drugs: Sequence[str]) -> NDArray[np.int64]:
    """Return (V,): 0 for a drug of training, 1 for one of validation, 2 for one of test."""
    digits = [int(hashlib.sha256(drug.encode()).hexdigest()[:8], 16) % 10 for drug in drugs]
    return np.array([{0: 1, 1: 2}.get(digit, 0) for digit in digits])


def split_by_drugs(arrays: dict[str, NDArray], drugs: Sequence[str]) -> dict[str, NDArray]:
    """Return the arrays with the edges split by drugs; edges of two hidden drugs are left out."""
    of_V, edges = hidden_for(drugs), arrays["edges"]
    kinds_E2 = of_V[edges]
    kept_E = (kinds_E2 == 0).any(axis=1)
    edges, code_E = edges[kept_E], kinds_E2[kept_E].max(axis=1)
    order_E = np.argsort(code_E, kind="stable")
    made = {
        **arrays,
        "edges": edges[order_E],
        "ids": np.arange(1, len(edges) + 1),
        "split": code_E[order_E].astype(np.uint8),
    }
    V = len(drugs)
    codes = {int(u) * V + int(v) for u, v in arrays["edges"]}
    for name in HELD_OUT:
        made[f"negatives_{name}"] = _negatives(of_V, HIDDEN[name], codes, V)
    return made


def _negatives(
    of_V: NDArray[np.int64], hidden: int, edges: set[int], n_nodes: int
) -> NDArray[np.int32]:
    """Return (N, 2) u < v: pairs of a hidden and a training drug that are no edge at all."""
    draw = np.random.default_rng(hidden)
    left, right = np.flatnonzero(of_V == hidden), np.flatnonzero(of_V == 0)
    found: dict[int, None] = {}
    while len(found) < NEGATIVES:
        pairs = np.stack([draw.choice(left, NEGATIVES), draw.choice(right, NEGATIVES)], axis=1)
        pairs.sort(axis=1)
        for code in (pairs[:, 0] * n_nodes + pairs[:, 1]).tolist():
            if code not in edges and len(found) < NEGATIVES:
                found[code] = None
    codes = np.array(list(found))
    return np.stack([codes // n_nodes, codes % n_nodes], axis=1).astype(np.int32)
