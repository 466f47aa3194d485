import numpy as np
import pytest

from assay.chemistry.bonds import (
    ALLOWED_VALENCES,
    LENGTHS_PM,
    MARGINS_PM,
    MAX_VALENCE,
    THRESHOLDS_PM,
    bond_orders,
)
from assay.chemistry.elements import ATOMIC_NUMBERS as Z

# The published lengths between the elements of QM9, in pm: single, double, triple.
PUBLISHED = {
    "HH": (74,), "HC": (109,), "HN": (101,), "HO": (96,), "HF": (92,),
    "CC": (154, 134, 120), "CN": (147, 129, 116), "CO": (143, 120, 113), "CF": (135,),
    "NN": (145, 125, 110), "NO": (140, 121), "NF": (136,),
    "OO": (148, 121), "OF": (142,), "FF": (142,),
}  # fmt: skip


def order(pair, picometres):
    """Of one pair; distances are given in pm and handed over in Å."""
    a, b = (np.array([Z[symbol]]) for symbol in pair)
    return int(bond_orders(a, b, np.array([picometres / 100], dtype=np.float32))[0])


@pytest.mark.parametrize("pair", PUBLISHED)
def test_lengths_are_the_published_ones(pair):
    found = LENGTHS_PM[:, Z[pair[0]], Z[pair[1]]]
    expected = [*PUBLISHED[pair], -np.inf, -np.inf][:3]
    assert found.tolist() == expected


@pytest.mark.parametrize("pair", PUBLISHED)
def test_a_bond_of_an_order_reaches_up_to_its_length_and_margin(pair):
    for k, length in enumerate(PUBLISHED[pair]):
        margin = (10, 5, 3)[k]
        assert order(pair, length + margin - 0.01) == k + 1
        assert order(pair, length + margin + 0.01) == k


def test_margins_are_10_5_and_3_picometres():
    assert MARGINS_PM == (10, 5, 3)


def test_a_distance_equal_to_the_threshold_is_no_bond():
    # 1.25 Å and 125 pm are exact in binary: nothing is rounded on the way.
    assert THRESHOLDS_PM[1, Z["C"], Z["O"]] == 125
    assert order("CO", 125) == 1
    assert order("CO", np.nextafter(np.float32(125), np.float32(0))) == 2


def test_float32_decides_at_the_margin():
    # 1.64 is not a float32; the nearest lies below, but its product with 100 rounds to 164 pm.
    distance = np.float32(1.64)
    assert float(distance) * 100 < 164.0
    assert order("CC", 164.0) == 0


def test_the_table_is_symmetric():
    np.testing.assert_array_equal(LENGTHS_PM, LENGTHS_PM.transpose(0, 2, 1))


def test_higher_orders_have_shorter_thresholds():
    single, double, triple = THRESHOLDS_PM
    assert np.all((double < single) | np.isneginf(double))
    assert np.all((triple < double) | np.isneginf(triple))


def test_carbon_sulfur_double_bonds_do_not_depend_on_the_order_of_atoms():
    assert order(("C", "S"), 160) == order(("S", "C"), 160) == 2


@pytest.mark.parametrize("pair", [("Na", "Cl"), ("He", "H"), ("Al", "Cl"), ("F", "B")])
def test_pairs_outside_the_table_are_never_bonded(pair):
    assert order(pair, 10) == order(pair, 120) == 0


def test_a_distance_that_is_not_finite_is_no_bond():
    carbon = np.array([6, 6])
    found = bond_orders(carbon, carbon, np.array([np.nan, np.inf], dtype=np.float32))
    assert found.tolist() == [0, 0]


def test_valences_are_the_published_ones():
    expected = {
        "H": [1], "C": [4], "N": [3], "O": [2], "F": [1], "B": [3], "Al": [3], "Si": [4],
        "P": [3, 5], "S": [4], "Cl": [1], "As": [3], "Br": [1], "I": [1], "Hg": [1, 2],
        "Bi": [3, 5],
    }  # fmt: skip
    for symbol, number in Z.items():
        assert np.flatnonzero(ALLOWED_VALENCES[number]).tolist() == expected.get(symbol, [])


def test_no_element_may_have_the_highest_valence_that_is_told_apart():
    assert not ALLOWED_VALENCES[:, MAX_VALENCE].any()
