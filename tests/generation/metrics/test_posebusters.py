import logging

import numpy as np
import pytest
from rdkit import Chem

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import conformers, posebusters
from assay.generation.metrics.protocol import Scoring
from tests.chemistry import geometries as g
from tests.generation.metrics import held

CHECKS = (
    "mol_pred_loaded", "sanitization", "inchi_convertible", "all_atoms_connected", "no_radicals",
    "bond_lengths", "bond_angles", "internal_steric_clash", "aromatic_ring_flatness",
    "non-aromatic_ring_non-flatness", "double_bond_flatness", "internal_energy",
)  # fmt: skip


def named(molecules, **options):
    found = posebusters.PoseBusters().evaluate(Scoring(molecules, **options))
    return {name.removeprefix("posebusters/"): estimate for name, estimate in found.items()}


def test_the_checks_are_those_of_the_configuration():
    assert list(named(held.embedded("CCO"))) == ["passed", *CHECKS]


def test_checks_are_those_that_the_package_makes_by_itself():
    """Of what passes, of what is disturbed, and of what it cannot even sanitise."""
    from posebusters import PoseBusters

    generator = np.random.default_rng(1)
    molecules = g.pack(held.embedded("CCO", "C1CC1"), g.BENZENE, g.CARBON_MONOXIDE)
    molecules = g.pack(molecules, g.disturbed(molecules, 0.15, generator))
    each = [one for one in conformers.conformers(molecules) if one is not None]
    table = PoseBusters(config="mol").bust(each)
    found = named(molecules)
    for check in CHECKS:
        assert found[check].value == pytest.approx((table[check] == True).mean())  # noqa: E712
    whole = (table[list(CHECKS)] == True).all(axis=1)  # noqa: E712
    assert found["passed"].value == pytest.approx(whole.mean())
    assert 0 < found["passed"].value < 1


def test_a_relaxed_molecule_passes_all():
    assert {
        name: e.value for name, e in named(held.embedded("CCO", "CC(C)O")).items()
    } == dict.fromkeys(("passed", *CHECKS), 1.0)


def test_what_is_broken_fails_the_check_of_it():
    """Ethane without a hydrogen is a radical; two waters are two pieces."""
    ethane = held.embedded("CC")
    found = named(Molecules(ethane.positions[:-1], ethane.numbers[:-1], np.array([7])))
    assert found["no_radicals"].value == 0
    assert found["all_atoms_connected"].value == 1
    waters = g.pack(g.WATER, g.WATER)
    apart = waters.positions + np.float32([[0], [0], [0], [9], [9], [9]])
    found = named(Molecules(apart, waters.numbers, np.array([6])))
    assert found["all_atoms_connected"].value == 0
    assert found["passed"].value == 0


def test_hydrogens_are_as_sampled():
    (carbon,) = conformers.conformers(g.molecule("C", [(0, 0, 0)]))
    assert Chem.SanitizeMol(carbon) == Chem.SanitizeFlags.SANITIZE_NONE
    assert carbon.GetAtomWithIdx(0).GetTotalNumHs() == 0
    assert carbon.GetAtomWithIdx(0).GetNumRadicalElectrons() == 4


def test_conformers_keep_coordinates_and_bonds():
    found = conformers.conformers(g.pack(g.ETHYLENE, g.WATER))
    np.testing.assert_allclose(
        found[0].GetConformer().GetPositions(), g.ETHYLENE.positions, atol=1e-6
    )
    assert [bond.GetBondTypeAsDouble() for bond in found[0].GetBonds()] == [2, 1, 1, 1, 1]
    assert found[1].GetNumBonds() == 2


def test_at_most_so_many_are_checked(monkeypatch):
    monkeypatch.setattr(posebusters, "CHECKED", 2)
    assert {e.n for e in named(held.embedded("CCO", "CC", "CCN"), rejected=3).values()} == {2}


def test_the_logs_speak_again_afterwards(capfd):
    before = logging.getLogger("posebusters").level
    named(g.disturbed(held.embedded("CCO", "CC#N"), 0.2, np.random.default_rng(0)))
    assert capfd.readouterr().err == ""
    assert logging.getLogger("posebusters").level == before
    Chem.MolFromSmiles("not a molecule")
    assert "SMILES Parse Error" in capfd.readouterr().err


@pytest.mark.slow  # three seconds a molecule, for the energies of its conformers
@pytest.mark.data
def test_qm9_passes(assay_data):
    molecules, _ = g.real_qm9(assay_data)
    chosen = np.random.default_rng(0).permutation(len(molecules))[:12]
    assert named(molecules.select(chosen))["passed"].value > 0.6
