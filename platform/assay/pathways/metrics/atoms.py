"""How many heavy atoms the two ends of an edge have in common, where their formulas are known.

Shapes: G graphs, V compounds, E edges, Z elements.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from assay.pathways.compounds import FORMULA, KNOWN, CompoundTable
from assay.pathways.graphs import UNKNOWN, PathwayGraphs

HEAVY = tuple(k for k, name in enumerate(FORMULA) if name not in {"H", "other"})
"""Columns of a formula that are one element heavier than hydrogen."""

Formulas = Mapping[str, NDArray[np.integer]]
"""(Z,) heavy atoms by the name of a compound; one that is missing is not known."""


def formulas_of(names: Iterable[str], table: CompoundTable) -> Formulas:
    """Return the heavy atoms of the compounds of a table, where all of them are told.

    A residue R, and elements that the table does not tell apart, make a formula unknown; so does
    the lack of any heavy atom.
    """
    other, known = FORMULA.index("other"), table.known[:, KNOWN.index("formula")]
    atoms_VZ = np.asarray(table.formulas)[:, HEAVY]
    told = known & (table.formulas[:, other] == 0) & (atoms_VZ.sum(axis=1) > 0)
    return {
        name: atoms for name, atoms, is_told in zip(names, atoms_VZ, told, strict=True) if is_told
    }


def conserved(
    graphs: PathwayGraphs, formulas: Formulas
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the edges of each graph conserve, and of how many edges it is known.

    An edge conserves 2 Σ min(sₑ, tₑ) / (Σ sₑ + Σ tₑ) over elements e: the share of the heavy atoms
    of source and target that have a counterpart on the other side. It needs no atom mapping, and
    so is an upper bound of what one would give. Source of the index: Dice, Ecology 26 (1945) 297.

    Args:
        graphs: G graphs.
        formulas: of compounds, by the names that the graphs use.

    Returns:
        (G,) sum over the edges whose two formulas are known, and (G,) the number of those.
    """
    atoms_VZ = _tabulated(graphs, formulas)
    shift_E = np.repeat(graphs.node_offsets[:-1], graphs.edge_counts)
    # What is not named has the code -1: it picks the last row, of which nothing is known.
    s_EZ, t_EZ = atoms_VZ[graphs.nodes[graphs.edges + shift_E]]
    total_E = s_EZ.sum(axis=1) + t_EZ.sum(axis=1)
    known_E = (s_EZ.sum(axis=1) > 0) & (t_EZ.sum(axis=1) > 0)
    shared_E = 2 * np.minimum(s_EZ, t_EZ).sum(axis=1)
    share_E = np.divide(shared_E, total_E, out=np.zeros(len(total_E)), where=known_E)
    owner_E = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    sums_G = np.bincount(owner_E, share_E, minlength=len(graphs)).astype(np.float64)
    return sums_G, np.bincount(owner_E[known_E], minlength=len(graphs))


def _tabulated(graphs: PathwayGraphs, formulas: Formulas) -> NDArray[np.int64]:
    """Return (V + 1, Z) heavy atoms of each compound of the graphs; a row of zeros is not known."""
    width = len(next(iter(formulas.values()), (0,)))
    found = np.zeros((len(graphs.compounds) + 1, width), np.int64)
    for code in np.unique(graphs.nodes[graphs.nodes != UNKNOWN]).tolist():
        atoms = formulas.get(graphs.compounds[code])
        if atoms is not None:
            found[code] = atoms
    return found
