import pytest
from rdkit import Chem

from assay.captioning import cip
from assay.captioning.metrics.structure_claims import KINDS, Graph

BENZENE, NAPHTHALENE, BIPHENYL = "c1ccccc1", "c1ccc2ccccc2c1", "c1ccc(cc1)-c1ccccc1"
SPIRO, MACROCYCLE = "C1CCC2(C1)CCCC2", "C1CCCCCCCCCCCC1"
L_ALANINE, D_ALANINE = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"
R_BUTANOL = "CC[C@@H](C)O"


def held(kind, caption, smiles):
    """Return whether each statement holds, by its text."""
    graph = Graph(Chem.MolFromSmiles(smiles))
    return [each.holds(graph) for each in KINDS[kind](caption)]


@pytest.mark.parametrize(
    ("caption", "smiles", "verdicts"),
    [
        ("It is a monocyclic arene.", BENZENE, [True]),
        ("It is an organic heterobicyclic compound.", NAPHTHALENE, [True, False]),
        ("It is an organic heterobicyclic compound.", "c1ccc2ncccc2c1", [True, True]),
        ("It is a tricyclic diterpenoid.", NAPHTHALENE, [False]),
        ("It is a bicyclic compound.", BIPHENYL, [False]),
        ("It is bicyclic.", SPIRO, [True]),
        ("It is a bridged bicyclic ketone.", "O=C1CC2CCC1CC2", [True]),  # RDKit lists three
        ("It is a tricyclic hydrocarbon.", "C1C2CC3CC1CC(C2)C3", [True]),  # and four of adamantane
        ("It is a bicyclic compound.", "C1C2CC3CC1CC(C2)C3", [False]),
        ("It is a pentacyclic hydrocarbon.", "C12C3C4C1C5C2C3C45", [True]),  # cubane
        ("It is an azaspiro compound and a spiro ketal.", SPIRO, [True]),
        ("It is a spiro compound.", NAPHTHALENE, [False]),
        ("It is aromatic.", BENZENE, [True]),
        ("It is aromatic.", "C1CCCCC1", [False]),
        ("It is a non-aromatic ketone.", "C1CCCCC1", []),
        ("It is no aromatic compound.", "C1CCCCC1", []),
        ("It is a macrocycle.", MACROCYCLE, [True]),
        ("It is a macrocyclic lactone.", BENZENE, [False]),
        ("It derives from a tricyclic triterpene.", BENZENE, []),
        ("It is a ketone.", BENZENE, []),
    ],
)
def test_rings(caption, smiles, verdicts):
    assert held("ring", caption, smiles) == verdicts


@pytest.mark.parametrize(
    ("caption", "smiles", "verdicts"),
    [
        ("It is (2R)-butan-2-ol.", R_BUTANOL, [True]),
        ("It is (S)-butan-2-ol.", R_BUTANOL, [False]),
        ("It is (2R,3R)-butane-2,3-diol.", "C[C@@H](O)[C@@H](C)O", [True]),
        ("It is (2R,3R)-butane-2,3-diol.", R_BUTANOL, [False]),
        ("It is the (2E,4S)-isomer.", R_BUTANOL, [False]),
        ("It is (2E)-but-2-ene.", "C/C=C/C", []),
        ("It is L-alanine.", L_ALANINE, [True, True]),
        ("It is D-alanine.", L_ALANINE, [True, False]),
        ("It is D-alanine.", D_ALANINE, [True, True]),
        ("It is L-alanine.", "CC(N)C(=O)O", [False, False]),
        ("It is D-lysergic acid.", "CCO", [False]),
        ("It is an enantiomer of (S)-butan-2-ol.", R_BUTANOL, []),
        ("It is a member of phenols (from RS-7).", BENZENE, []),
    ],
)
def test_chirality(caption, smiles, verdicts):
    assert held("chirality", caption, smiles) == verdicts


@pytest.mark.parametrize(
    ("caption", "smiles", "verdicts"),
    [
        ("It is a monocarboxylic acid anion.", "CC(=O)[O-]", [True]),
        ("It is an organic anion.", "CC(=O)O", [False]),
        ("It is an organic cation.", "C[NH3+]", [True]),
        ("It is a cation.", "CC(=O)[O-]", [False]),
        ("It is a zwitterion.", "C[C@H]([NH3+])C(=O)[O-]", [True]),
        ("It is a zwitterion.", "C[N+](=O)[O-]", [False]),
        ("It is succinate(2-).", "[O-]C(=O)CCC(=O)[O-]", [True]),
        ("It is succinate(2-).", "OC(=O)CCC(=O)[O-]", [False]),
        ("It is the sodium salt with sodium(1+).", "[Na+].[Cl-]", [True]),
        ("It contains a lidocaine(1+).", "CN.Cl", []),
        ("It is a conjugate base of an acetic acid.", "CC(=O)[O-]", [True]),
        ("It is a conjugate base of an acetic acid.", "CC(=O)O", [False]),
        ("It is a conjugate base of a methylammonium.", "CN", []),
        ("It is a conjugate acid of a methylamine.", "C[NH3+]", [True]),
        ("It is a conjugate acid of an acetate.", "CC(=O)O", []),
        ("It is not a cation.", "C", []),
        ("It is one of 20 modifications to flavin, with applications.", "C", []),
        ("It is a companion of phenol.", "C", []),
        ("It is a dication.", "C[NH2+]CC[NH3+]", [True]),
        ("It is a phosphorus oxoanion and a tetra-anion.", "O", [False]),
        ("It has a role as a cation channel blocker.", "C", []),
    ],
)
def test_charge(caption, smiles, verdicts):
    assert held("charge", caption, smiles) == verdicts


def test_a_cage_that_takes_too_long_to_rank_has_no_labels(monkeypatch):
    monkeypatch.setattr(cip, "STEPS", 1)

    assert held("chirality", "It is (2R)-x.", "C[C@H]1CC[C@@H](CC[C@H](C)O)CC1") == [False]


def test_a_statement_made_twice_is_counted_once():
    assert len(KINDS["charge"]("It is an anion. It is an organic anion.")) == 1
