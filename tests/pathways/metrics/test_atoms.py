import numpy as np
import pytest

from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.metrics.atoms import HEAVY, conserved, formulas_of
from tests.pathways.metrics import tiny as t


def counts(**atoms):
    return np.array([atoms.get(element, 0) for element in "CNOPS"])


def test_the_share_is_of_the_heavy_atoms_of_both_ends():
    # Pyruvate C3O3 → acetaldehyde C2O: 2 (2 + 1) / (6 + 3).
    formulas = {"a": counts(C=3, O=3), "b": counts(C=2, O=1)}
    sums, known = conserved(t.packed(t.PAIR, t.BOTH_WAYS), formulas)

    assert sums == pytest.approx([6 / 9, 12 / 9])
    assert known.tolist() == [1, 2]


def test_what_is_not_known_is_not_counted():
    formulas = {"a": counts(C=3)}
    unnamed = (["a", None], [(0, 1)])
    sums, known = conserved(t.packed(t.PAIR, unnamed), formulas)

    assert sums.tolist() == [0, 0]
    assert known.tolist() == [0, 0]
    assert conserved(t.packed(t.PAIR), {})[1].tolist() == [0]


def test_hydrogen_residues_and_unlisted_elements_tell_nothing():
    formulas = {"a": "C6H12O6", "b": "C2H3OR", "c": "C2H4ClO2", "d": "H2", "e": None}
    table = CompoundTable.of([Compound(formula) for formula in formulas.values()], "abcde", "here")
    found = formulas_of(formulas, table)

    assert len(HEAVY) == 5
    assert list(found) == ["a"]
    assert found["a"].tolist() == [6, 0, 6, 0, 0]
