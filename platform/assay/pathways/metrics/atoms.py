"""How many heavy atoms the two ends of an edge have in common, where their formulas are known.

Shapes: G graphs, V compounds, Z elements.
"""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.elements import ATOMIC_NUMBERS
from assay.pathways.graphs import UNKNOWN, PathwayGraphs

_PART = re.compile(r"([A-Z][a-z]?)([0-9]*)")


def heavy_atoms(formula: str) -> Counter[str] | None:
    """Return the atoms other than hydrogen of a formula such as C6H13O9P.

    None where it is no formula of elements and whole numbers (polymers, residues R, mixtures), or
    where it has no heavy atom: nothing can be told of those.
    """
    parts = _PART.findall(formula)
    if "".join(symbol + number for symbol, number in parts) != formula:
        return None
    found: Counter[str] = Counter()
    for symbol, number in parts:
        if symbol not in ATOMIC_NUMBERS:
            return None
        found[symbol] += int(number or 1)
    del found["H"]
    return found if found.total() else None


def conserved(
    graphs: PathwayGraphs, formulas: Mapping[str, str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the edges of each graph conserve, and of how many edges it is known.

    An edge conserves 2 Σ min(sₑ, tₑ) / (Σ sₑ + Σ tₑ) over elements e: the share of the heavy atoms
    of source and target that have a counterpart on the other side. It needs no atom mapping, and
    so is an upper bound of what one would give. Source of the index: Sørensen, Kongelige Danske
    Videnskabernes Selskab 5 (1948) 1; Dice, Ecology 26 (1945) 297.

    Args:
        graphs: G graphs.
        formulas: of compounds, by the names that the graphs use.

    Returns:
        (G,) sum over the edges whose two formulas are known, and (G,) the number of those.
    """
    atoms_VZ = _counts(graphs, formulas)
    shift = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    s_E, t_E = graphs.nodes[graphs.edges + shift]
    # Of what is not named, the code is -1: it picks a last row that knows nothing.
    s_EZ, t_EZ = atoms_VZ[s_E], atoms_VZ[t_E]
    total_E = s_EZ.sum(axis=1) + t_EZ.sum(axis=1)
    known_E = (s_EZ.sum(axis=1) > 0) & (t_EZ.sum(axis=1) > 0)
    shared_E = 2 * np.minimum(s_EZ, t_EZ).sum(axis=1)
    share_E = np.divide(shared_E, total_E, out=np.zeros(len(total_E)), where=known_E)
    owner_E = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    sums_G = np.bincount(owner_E, share_E, minlength=len(graphs))
    return sums_G, np.bincount(owner_E[known_E], minlength=len(graphs))


def _counts(graphs: PathwayGraphs, formulas: Mapping[str, str]) -> NDArray[np.int64]:
    """Return (V + 1, Z) heavy atoms of each compound; a row of zeros is not known."""
    used = np.unique(graphs.nodes[graphs.nodes != UNKNOWN]).tolist()
    parsed = {code: heavy_atoms(formulas.get(graphs.compounds[code], "")) for code in used}
    elements = sorted({symbol for atoms in parsed.values() if atoms for symbol in atoms})
    found = np.zeros((len(graphs.compounds) + 1, max(len(elements), 1)), np.int64)
    for code, atoms in parsed.items():
        for symbol, number in (atoms or {}).items():
            found[code, elements.index(symbol)] = number
    return found
