import sys

import numpy as np
import pytest

from assay.generation.energies import evaluator
from assay.generation.energies.chgnet import CHGNet
from assay.generation.metrics.crystal_matching import structures
from tests.generation.metrics import crystal_samples as c

pytest.importorskip("chgnet", reason="chgnet is not installed (extra stability)")

CRYSTALS = c.pack(c.ROCK_SALT, c.COPPER, c.PEROVSKITE)
LONELY = c.crystal(np.eye(3) * 30, "He", [c.ORIGIN])


def test_energies_are_those_of_the_package():
    from chgnet.model.model import CHGNet as Network

    network = Network.load(verbose=False, use_device="cpu")
    expected = [float(network.predict_structure(s, task="e")["e"]) for s in structures(CRYSTALS)]

    assert CHGNet().energies(CRYSTALS) == pytest.approx(expected, abs=1e-5)
    # The Materials Project has -4.10 eV an atom of copper (mp-30), by PBE.
    assert expected[1] == pytest.approx(-4.10, abs=0.05)


def test_one_by_one_and_together_energies_are_the_same():
    together = CHGNet().energies(CRYSTALS)

    assert super(CHGNet, CHGNet()).energies(CRYSTALS) == pytest.approx(together, abs=1e-5)


def test_a_lonely_atom_has_no_energy_and_is_not_relaxed():
    crystals = c.pack(LONELY, c.ROCK_SALT)

    assert np.isnan(CHGNet().energies(crystals)).tolist() == [True, False]
    found = evaluator.relaxed(CHGNet(), crystals)
    assert np.isnan(found.energies_M).tolist() == [True, False]
    assert found.energies_M[1] <= CHGNet().energies(c.ROCK_SALT)[0] + 1e-6


def test_of_an_element_beyond_plutonium_there_is_no_energy():
    americium = c.crystal(c.fcc(4.9), "Am", [c.ORIGIN])
    found = CHGNet().energies(c.pack(americium, c.COPPER))

    assert np.isnan(found).tolist() == [True, False]


def test_the_version_names_weights_and_package():
    assert CHGNet().identity.startswith("chgnet 0.3.0 (package 0.")


def test_it_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "chgnet", None)
    monkeypatch.setattr("assay.generation.metrics.protocol.find_spec", lambda name: None)

    assert CHGNet().lacks() == (
        "chgnet is not installed; run `pip install 'assay-bench[stability]'`"
    )
