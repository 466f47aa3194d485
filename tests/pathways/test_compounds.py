"""The features of nodes."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.compounds import (
    CLASSES,
    FEATURES,
    FORMULA,
    Compound,
    CompoundTable,
    columns_of,
    formula_counts,
)

GLUCOSE = Compound("C6H12O6", 0.0, -218.0, "OCC1OC(O)C(O)C(O)C1O")


def table(*compounds):
    return CompoundTable.of(compounds, [f"c{k}" for k in range(len(compounds))], "compounds.csv")


def feature(features, name):
    return features[:, FEATURES.index(name)]


def test_a_formula_is_counted_in_declared_columns():
    counts = columns_of(formula_counts("C6H11ClO9PSR2", "here"))

    assert dict(zip(FORMULA, counts, strict=True)) == {
        "C": 6, "H": 11, "N": 0, "O": 9, "P": 1, "S": 1, "other": 3,
    }  # fmt: skip


def test_what_is_not_known_is_masked_and_a_known_zero_is_not():
    features = table(GLUCOSE, Compound(), Compound(charge=0.0)).features()

    assert feature(features, "charge is known").tolist() == [1, 0, 1]
    assert feature(features, "gibbs is known").tolist() == [1, 0, 0]
    assert feature(features, "structure is known").tolist() == [1, 0, 0]
    assert not features[1].any()
    assert feature(features, "gibbs")[0] == pytest.approx(-2.18)
    assert feature(features, "log1p(C)")[0] == pytest.approx(np.log(7))


def test_descriptors_are_those_of_rdkit():
    (descriptors,) = table(GLUCOSE).descriptors

    assert descriptors[2:4].tolist() == [5, 6]  # five hydroxyls, six oxygens
    assert descriptors[5:7].tolist() == [1, 0]  # one ring, not aromatic


def test_a_structure_that_is_none_is_not_known():
    assert not table(Compound(smiles="C1CC")).known.any()


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        (None, "unknown"), ("C2H4R", "generic"), ("C6H6", "hydrocarbon"), ("C2H6O", "oxygenated"),
        ("C2H5NO2", "nitrogenous"), ("C6H13O9P", "phosphorylated"), ("C3H7NO2S", "sulphurous"),
        ("C21H36N7O16P3S", "phosphorylated and sulphurous"), ("C2H3Cl", "other elements"),
    ],
)  # fmt: skip
def test_the_class_follows_from_the_elements(formula, name):
    assert CLASSES[table(Compound(formula)).classes[0]] == name


@pytest.mark.parametrize("formula", ["c6", "C6H-1", "(CH2)n", "C 6"])
def test_what_is_no_formula_is_refused(formula):
    with pytest.raises(DataError, match=r"compounds.csv: c0: .* is no formula"):
        table(Compound(formula))


def test_what_is_no_number_is_refused():
    with pytest.raises(DataError, match="c0: nan is no charge or energy"):
        table(Compound(charge=float("nan")))
