"""The EDM look-up read strictly: one fragment, every atom with its neutral valence.

The EDM protocol (`edm`) calls a molecule valid if RDKit sanitises it; a molecule in pieces is then
judged by its largest piece, and RDKit makes up for bonds that an atom lacks with hydrogens that
were never sampled. Here neither helps. Bonds are those of `edm`, so what separates the two is the
reading alone. docs/protocols.md has both beside each other.

Shapes: M molecules, A = ΣN atoms of all of them.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.chemistry.elements import HIGHEST
from assay.chemistry.molecules import Molecules
from assay.generation.metrics import edm
from assay.generation.metrics.protocol import Scoring, ScoringProtocol, share
from assay.task import Estimate

NEUTRAL_VALENCES = {1: 1, 6: 4, 7: 3, 8: 2, 9: 1}
"""By atomic number: H C N O F. No other element ever has its valence."""

_VALENCE_Z = np.full(HIGHEST + 1, -1, dtype=np.int64)
_VALENCE_Z[list(NEUTRAL_VALENCES)] = list(NEUTRAL_VALENCES.values())


class EDMStrict(ScoringProtocol[Molecules]):
    """Validity that an incomplete or broken molecule does not have."""

    name: ClassVar[str] = "edm_strict"
    version: ClassVar[str] = "1"

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return shares of samples; novelty where there is a reference.

        All are Wilson intervals, for the reasons that `edm.evaluate` gives.
        """
        from assay.generation.metrics.known import smiles_known_to  # it is made of `edm`

        whole, filled = connected(scoring.samples), exact_valences(scoring.samples)
        valid = [text for text in smiles(scoring.samples, scoring.processes) if text is not None]
        distinct = frozenset(valid)
        n = len(scoring.samples) + scoring.rejected
        found = {
            "connected": share(self, int(whole.sum()), n),
            "exact_valence": share(self, int(filled.sum()), n),
            "validity": share(self, len(valid), n),
            "uniqueness": share(self, len(distinct), len(valid)),
            "valid_unique": share(self, len(distinct), n),
        }
        if scoring.reference is not None:
            known = smiles_known_to(scoring.reference, scoring.processes)
            new = sum(text not in known for text in distinct)
            found["novelty"] = share(self, new, len(distinct))
        return {f"{self.name}/{metric}": estimate for metric, estimate in found.items()}


def connected(molecules: Molecules) -> NDArray[np.bool_]:
    """Return (M,) whether a molecule's looked-up bonds join all its atoms; not if it has none."""
    bonds = edm.bond_orders(molecules)
    A, M = len(molecules.numbers), len(molecules)
    if A == 0:
        return np.zeros(M, dtype=bool)
    graph_AA = coo_array((np.ones(len(bonds.first)), (bonds.first, bonds.second)), shape=(A, A))
    _, piece_A = connected_components(graph_AA, directed=False)
    _, first_of_piece = np.unique(piece_A, return_index=True)
    owner_A = np.repeat(np.arange(M), molecules.n_atoms)
    return np.bincount(owner_A[first_of_piece], minlength=M) == 1


def exact_valences(molecules: Molecules) -> NDArray[np.bool_]:
    """Return (M,) whether every atom has exactly its neutral valence; not if there is none."""
    bonds = edm.bond_orders(molecules)
    A, M = len(molecules.numbers), len(molecules)
    ends = np.concatenate([bonds.first, bonds.second])
    valence_A = np.bincount(ends, weights=np.tile(bonds.order, 2), minlength=A)
    wrong_A = valence_A != _VALENCE_Z[molecules.numbers]
    owner_A = np.repeat(np.arange(M), molecules.n_atoms)
    return (np.bincount(owner_A[wrong_A], minlength=M) == 0) & (molecules.n_atoms > 0)


def smiles(molecules: Molecules, processes: int = 1) -> list[str | None]:
    """Return each molecule's canonical SMILES, or None where it is not strictly valid.

    It is that of `edm.smiles`: a connected molecule is its own largest fragment, and where every
    valence is exact RDKit adds no hydrogen, sees no radical and needs no charge.
    """
    strict = np.flatnonzero(connected(molecules) & exact_valences(molecules))
    texts: list[str | None] = [None] * len(molecules)
    for k, text in zip(strict, edm.smiles(molecules.select(strict), processes), strict=True):
        texts[k] = text
    return texts
