import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdChemReactions

from assay.interactions.data.mini_links import (
    MAX_HEAVY_ATOMS,
    MINI_LINKS,
    NEGATIVES,
    enumerate_smiles,
    join,
)
from assay.store import sets

REACTIONS = {
    "amide": "[C:1](=[O:2])[OX2H1].[CX4:3][NX3H2:4]>>[C:1](=[O:2])[N:4][C:3]",
    "ester": "[C:1](=[O:2])[OX2H1].[CX4:3][OX2H1:4]>>[C:1](=[O:2])[O:4][C:3]",
    "reductive amination": "[CX3H1:1]=O.[CX4:3][NX3H2:4]>>[C:1][N:4][C:3]",
    "Buchwald-Hartwig": "[c:1]Br.[CX4:3][NX3H2:4]>>[c:1][N:4][C:3]",
    "Suzuki": "[c:1]Br.[c:2][BX3]>>[c:1]-[c:2]",
}
"""The couplings once more, as reactions that RDKit runs."""


@pytest.fixture(scope="module")
def built():
    return MINI_LINKS.build("rules", lambda phase, fraction: None)


def products(first: str, second: str) -> list[str]:
    """Every product of the five reactions, in both roles; one for each way to react."""
    a, b = Chem.MolFromSmiles(first), Chem.MolFromSmiles(second)
    found = []
    for smarts in REACTIONS.values():
        reaction = rdChemReactions.ReactionFromSmarts(smarts)
        for pair in ((a, b), (b, a)):
            for (product,) in reaction.RunReactants(pair):
                Chem.SanitizeMol(product)
                found.append(Chem.MolToSmiles(product))
    return found


def couples(first: str, second: str) -> bool:
    made = products(first, second)
    selective = not products(first, first) and not products(second, second)
    return selective and len(made) == 1 and heavy_atoms(made[0]) <= MAX_HEAVY_ATOMS


def heavy_atoms(smiles: str) -> int:
    return Chem.MolFromSmiles(smiles).GetNumHeavyAtoms()


def test_edges_couple_and_negatives_do_not_when_rdkit_runs_the_reactions(built):
    smiles = [one.decode() for one in built.arrays["smiles"]]

    for name, expected in (("edges", True), ("negatives_test", False)):
        chosen = built.arrays[name][:: len(built.arrays[name]) // 60]
        assert {couples(smiles[u], smiles[v]) for u, v in chosen} == {expected}, name


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("CC1CCC(C(=O)O)C1", "CC1CCC(CN)C1", True),  # an amide of 9 + 8 - 1 = 16 heavy atoms
        ("Cc1ccc(C(=O)O)cc1", "CC1CCC(CN)C1", False),  # of 17
        ("CC1CCC(C(=O)O)C1", "NCC1CCC(CN)C1", False),  # two amines: a mixture
        ("CC1CCC(C(=O)O)C1", "CC1CCC(C=O)C1", False),  # acid and aldehyde do not react
    ],
)
def test_pairs_judged_by_hand(first, second, joined):
    made = enumerate_smiles()
    first, second = Chem.CanonSmiles(first), Chem.CanonSmiles(second)
    kept, couples_VV = join(made)

    assert {first, second} <= set(made)
    both = first in kept and second in kept
    assert (both and bool(couples_VV[kept.index(first), kept.index(second)])) is joined


def test_who_couples_with_its_own_kind_is_left_out(built):
    smiles = {one.decode() for one in built.arrays["smiles"]}

    assert Chem.CanonSmiles("NCC1CCC(C(=O)O)C1") not in smiles
    assert Chem.CanonSmiles("NCC1CCC(C)C1") in smiles


def test_the_graph_is_what_the_documentation_says(built):
    edges = built.arrays["edges"]

    assert (len(built.arrays["smiles"]), len(edges)) == (229, 5347)
    assert np.bincount(built.arrays["split"]).tolist() == [4321, 521, 505]
    assert len(np.unique(edges)) == 229
    assert built.description.startswith("229 enumerated building blocks and the 5,347 pairs")


def test_negatives_of_the_two_splits_are_disjoint_and_no_edges(built):
    sets_of = {
        name: set(map(tuple, built.arrays[name].tolist()))
        for name in ("edges", "negatives_validation", "negatives_test")
    }

    assert len(sets_of["negatives_validation"]) == len(sets_of["negatives_test"]) == NEGATIVES
    assert sum(map(len, sets_of.values())) == len(set.union(*sets_of.values()))


def test_the_rules_make_the_same_set_again(built):
    again = MINI_LINKS.build("rules", lambda phase, fraction: None)

    for name, array in built.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name


def test_the_commands_for_data_know_it(links):
    (row,) = [row for row in sets.catalogued() if row.name == "mini_links"]

    assert row.counts == (4321, 521, 505)
    assert sets.verify("mini_links").digest == row.digest == sets.prepare("mini_links").digest
