import numpy as np
import pytest
import torch
from rdkit import Chem

from assay.captioning import cip
from assay.captioning.graphs import (
    ARRAYS,
    ATOM_FEATURES,
    BOND_FEATURES,
    DIRECTION,
    Feature,
    Graphs,
    pack_graphs,
    parse,
)

SAMPLE = (
    "C", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "F/C=C\\Cl", "C[C@H]1CC[C@@H](C)CC1",
    "O=C(O)[C@H](O)[C@@H](O)C(=O)O", "[Na+].[Cl-]", "c1ccc2[nH]ccc2c1", "[CH3]", "*CC[13CH3]",
    "C/C=C/C=C\\C[C@@](F)(Cl)Br",
)  # fmt: skip


def column(graphs, name):
    index = [feature.name for feature in ATOM_FEATURES].index(name)
    return [ATOM_FEATURES[index].values[code] for code in graphs.atoms_NA[:, index].tolist()]


def bond_column(graphs, name):
    index = [feature.name for feature in BOND_FEATURES].index(name)
    bonds = graphs.bonds_MG[: len(graphs.bonds_MG) // 2, index].tolist()
    return [BOND_FEATURES[index].values[code] for code in bonds]


def whole(smiles):
    return Graphs.of([smiles]).batch(np.array([0]))


def written_otherwise(smiles):
    """The same molecule: atoms in other orders, and with its aromatic bonds written out."""
    molecule = Chem.MolFromSmiles(smiles)
    order = np.random.default_rng(0).permutation(molecule.GetNumAtoms()).tolist()
    shuffled = Chem.RenumberAtoms(molecule, order)
    kekulised = Chem.Mol(shuffled)
    Chem.Kekulize(kekulised, clearAromaticFlags=True)
    return [
        Chem.MolToSmiles(shuffled, canonical=False),
        Chem.MolToSmiles(kekulised, canonical=False, kekuleSmiles=True),
        Chem.MolToSmiles(molecule),
    ]


def test_acetate_by_hand():
    graph = whole("CC(=O)[O-]")  # this is its canonical SMILES

    assert column(graph, "element") == [6, 6, 8, 8]
    assert column(graph, "degree") == [1, 3, 1, 1]
    assert column(graph, "charge") == [0, 0, 0, -1]
    assert column(graph, "hydrogens") == [3, 0, 0, 0]
    assert column(graph, "hybridization") == ["SP3", "SP2", "SP2", "SP2"]
    assert graph.edges_2M.tolist() == [[0, 1, 1, 1, 2, 3], [1, 2, 3, 0, 1, 1]]
    assert bond_column(graph, "type") == ["SINGLE", "DOUBLE", "SINGLE"]
    assert bond_column(graph, "conjugated") == [False, True, True]


def test_rings_radicals_and_isotopes_by_hand():
    assert column(whole("c1ccccc1C"), "aromatic") == [False] + [True] * 6
    assert column(whole("c1ccccc1C"), "in_ring") == [False] + [True] * 6
    assert column(whole("[CH3]"), "radical_electrons") == [1]
    assert column(whole("[13CH4]"), "isotope") == [13]
    assert bond_column(whole("C1CC1C"), "in_ring") == [False, True, True, True]


@pytest.mark.parametrize(
    ("smiles", "labels"),
    [
        ("C[C@H](N)C(=O)O", ["S"]),  # L-alanine
        ("C[C@@H](N)C(=O)O", ["R"]),
        ("OC(=O)[C@H](O)[C@@H](O)C(=O)O", ["R", "R"]),  # a tag is CW for one, CCW for the other
        ("OC(=O)[C@@H](O)[C@H](O)C(=O)O", ["S", "S"]),
        ("OC(=O)[C@H](O)[C@H](O)C(=O)O", ["R", "S"]),  # meso
        ("C[C@H]1CC[C@@H](C)CC1", ["s", "s"]),  # cis
        ("C[C@H]1CC[C@H](C)CC1", ["r", "r"]),  # trans
    ],
)
def test_chirality_is_what_chemists_call_it(smiles, labels):
    assert sorted(set(column(whole(smiles), "chirality")) - {"none"}) == sorted(set(labels))
    assert sum(label != "none" for label in column(whole(smiles), "chirality")) == len(labels)


@pytest.mark.parametrize(("smiles", "label"), [("F/C=C/F", "E"), ("F/C=C\\F", "Z")])
def test_double_bonds_say_on_which_sides_they_bear_what(smiles, label):
    assert bond_column(whole(smiles), "stereo") == ["none", label, "none"]


def test_a_direction_read_from_its_other_end_is_the_other_one():
    graph = whole("F/C=C/F")
    along, against = graph.bonds_MG[:, DIRECTION].reshape(2, -1).tolist()

    assert along == [1, 0, 1]
    assert against == [2, 0, 2]
    assert torch.equal(graph.edges_2M[:, :3], graph.edges_2M[:, 3:].flip(0))


@pytest.mark.parametrize("smiles", SAMPLE)
def test_however_a_molecule_is_written_its_graph_is_the_same(smiles):
    expected = pack_graphs([parse(smiles)])

    for other in written_otherwise(smiles):
        found = pack_graphs([parse(other)])
        assert all(np.array_equal(found[name], expected[name]) for name in ARRAYS), other


def test_what_no_feature_lists_is_other():
    dummy, heavy = whole("*C"), whole("[Og+6]")
    element = ATOM_FEATURES[0]
    assert sorted(dummy.atoms_NA[:, 0].tolist()) == [element.code(6), element.other]
    assert heavy.atoms_NA[0, 0] == element.code(118)
    assert heavy.atoms_NA[0, 2] == ATOM_FEATURES[2].other
    assert Feature("a", (3, 4)).code(5) == Feature("a", (3, 4)).other == 2
    assert Feature("a", (3, 4)).size == 3


def test_a_centre_that_takes_too_long_to_rank_is_other(monkeypatch):
    monkeypatch.setattr(cip, "STEPS", 1)
    chirality = [feature.name for feature in ATOM_FEATURES].index("chirality")
    other = ATOM_FEATURES[chirality].other

    found = whole("C[C@H]1CC[C@@H](CC[C@H](C)O)CC1").atoms_NA[:, chirality].tolist()

    assert found.count(other) == 3


def test_a_batch_is_its_molecules_one_after_another():
    graphs = Graphs.of(SAMPLE)
    records = np.array([3, 0, 6, 3])
    batch = graphs.batch(records)
    parts = [graphs.batch(np.array([record])) for record in records]
    n_atoms = [len(part.atoms_NA) for part in parts]
    half = [part.edges_2M.shape[1] // 2 for part in parts]

    assert len(batch) == 4
    assert torch.equal(batch.atoms_NA, torch.cat([part.atoms_NA for part in parts]))
    assert batch.molecule_N.tolist() == np.repeat(np.arange(4), n_atoms).tolist()
    assert torch.equal(batch.place_N, torch.cat([torch.arange(n) for n in n_atoms]))
    for side in (0, 1):  # along the bonds, then against them
        first = sum(half) * side
        for k, part in enumerate(parts):
            here = slice(first + sum(half[:k]), first + sum(half[: k + 1]))
            there = slice(half[k] * side, half[k] * (side + 1))
            assert torch.equal(batch.edges_2M[:, here] - sum(n_atoms[:k]), part.edges_2M[:, there])
            assert torch.equal(batch.bonds_MG[here], part.bonds_MG[there])


def test_molecules_without_a_bond_have_no_edges():
    batch = Graphs.of(["C", "[Na+].[Cl-]"]).batch(np.arange(2))

    assert batch.edges_2M.shape == (2, 0)
    assert batch.bonds_MG.shape == (0, len(BOND_FEATURES))
    assert batch.molecule_N.tolist() == [0, 1, 1]


@pytest.mark.parametrize("wrong", ["C1CC", "", "not a molecule", "CN(C)(C)(C)C"])
def test_what_is_no_molecule_is_none(wrong):
    assert parse(wrong) is None
    with pytest.raises(ValueError, match="does not parse"):
        Graphs.of(["C", wrong])
