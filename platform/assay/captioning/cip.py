"""CIP labels of stereogenic atoms and bonds, by one set of rules and within a bound of steps.

Source: Hanson et al., "Algorithmic analysis of Cahn-Ingold-Prelog rules of stereochemistry", J.
Chem. Inf. Model. 58 (2018) 1755, in RDKit's rdCIPLabeler.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Bond, Mol

STEPS = 1_000_000
"""At most so many to rank the neighbours of a molecule's centres: under a second. The most tangled
of ChEBI-20 need far fewer; a cage of equal atoms would take minutes."""


def assign_labels(molecule: "Mol", parts: "Iterable[Atom | Bond]") -> None:
    """Set `_CIPCode`; where ranking takes too long, what is left has none.

    Args:
        molecule: It is changed.
        parts: Its atoms and bonds. RDKit's older labels, which parsing sets and which follow other
            rules, are taken from them first.
    """
    from rdkit.Chem import rdCIPLabeler

    for part in parts:
        part.ClearProp("_CIPCode")
    try:
        rdCIPLabeler.AssignCIPLabels(molecule, maxRecursiveIterations=STEPS)
    except RuntimeError as error:
        if "Max Iterations" not in str(error):
            raise
