"""Reactions and the graphs they make."""

import pytest

from assay.errors import DataError
from assay.pathways.data.reactions import (
    Reaction,
    check_reaction,
    imbalance,
    pathway_of,
    reaction_class,
)

FORMULAS = {
    "glc": "C6H12O6", "g6p": "C6H13O9P", "atp": "C10H16N5O13P3", "adp": "C10H15N5O10P2",
    "pep": "C3H5O6P", "pyr": "C3H4O3", "pool": "C2H4R",
}  # fmt: skip
HEXOKINASE = Reaction("HEX1", {"glc": 1, "atp": 1}, {"g6p": 1, "adp": 1})
TRANSFER = Reaction("PTS", {"glc": 1, "pep": 1}, {"g6p": 1, "pyr": 1}, reversible=True)


def test_a_balanced_reaction_passes():
    assert imbalance(HEXOKINASE, FORMULAS) == {}
    check_reaction(HEXOKINASE, FORMULAS, "f")


def test_what_makes_atoms_is_refused_by_name():
    with pytest.raises(DataError, match=r"f: reaction R does not balance \(\+1 H, \+3 O, \+1 P\)"):
        check_reaction(Reaction("R", {"glc": 1}, {"g6p": 1}), FORMULAS, "f")


@pytest.mark.parametrize(
    ("reaction", "lacks"),
    [(Reaction("R", {}, {"glc": 1}), "substrate"), (Reaction("R", {"glc": 1}, {}), "product")],
)
def test_an_empty_side_is_refused(reaction, lacks):
    with pytest.raises(DataError, match=f"f: reaction R has no {lacks}"):
        check_reaction(reaction, FORMULAS, "f")


@pytest.mark.parametrize("name", ["unheard of", "pool"])
def test_where_a_formula_is_not_known_nobody_can_tell(name):
    assert imbalance(Reaction("R", {"glc": 1}, {name: 1}), FORMULAS) is None


def test_coefficients_count():
    assert imbalance(Reaction("R", {"pyr": 2}, {"glc": 1}), FORMULAS) == {"H": 4}
    assert imbalance(Reaction("R", {"pyr": 2}, {"glc": 1}), FORMULAS, ignored=("H",)) == {}


def test_currency_is_removed_and_what_is_most_alike_is_main():
    pathway = pathway_of("p", [HEXOKINASE, TRANSFER], {"atp", "adp"}, FORMULAS)

    assert pathway.nodes == ["glc", "g6p", "pyr", "pep"]
    assert pathway.edges == [(0, 1), (0, 2), (3, 1), (3, 2)]
    assert list(pathway.main) == [True, False, False, True]  # glucose's carbon and the phosphate's
    assert list(pathway.reversible) == [True, True, True, True]
    assert list(pathway.reactions) == ["HEX1", "PTS", "PTS", "PTS"]


def test_without_formulas_every_pair_is_main():
    assert all(pathway_of("p", [TRANSFER], set(), {}).main)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ("EC-1.1.1.37", 1), ("EC-2.7.1.1|EC-2.7.1.2", 2), ("EC-1.1.1.1|EC-2.7.1.1", 0),
        ("", 0), ("3.1.-.-", 3), ("EC:7.1.1.1", 7), ("EC-8.1.1.1", 0), ("-", 0),
    ],
)  # fmt: skip
def test_the_class_is_the_digit_that_all_numbers_share(numbers, expected):
    assert reaction_class(numbers) == expected
