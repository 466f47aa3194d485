import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators import emt

from assay.chemistry.crystals import Crystals
from assay.errors import MemoryShortageError
from assay.generation.energies import evaluator
from assay.generation.energies.evaluator import MOST_FORCE, Relaxed
from tests.generation.energies.potentials import EMT
from tests.generation.metrics import crystal_samples as c

GOLD = c.crystal(c.fcc(4.3), "Au", [c.ORIGIN])
"""Wider than it would be."""
SHIFTED = c.crystal(np.eye(3) * 3.7, "Cu Au", [c.ORIGIN, (0.45, 0.5, 0.5)])


def test_energies_are_those_of_the_calculator_an_atom():
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True)
    atoms.calc = emt.EMT()

    found = evaluator.energies(EMT(), c.pack(c.COPPER, c.doubled(c.COPPER)))
    assert found == pytest.approx(np.full(2, atoms.get_potential_energy() / 4), abs=1e-6)


def test_of_what_a_potential_does_not_know_there_is_no_energy():
    crystals = c.pack(c.ROCK_SALT, c.COPPER)

    assert np.isnan(evaluator.energies(EMT(), crystals)).tolist() == [True, False]
    found = evaluator.relaxed(EMT(), crystals)
    assert np.isnan(found.energies_M).tolist() == [True, False]
    assert np.array_equal(found.crystals.select([0]).lattices, c.ROCK_SALT.lattices)


def test_relaxed_crystals_are_where_nothing_pulls():
    found = evaluator.relaxed(EMT(), c.pack(GOLD, SHIFTED))

    assert (found.energies_M < evaluator.energies(EMT(), c.pack(GOLD, SHIFTED)) - 0.01).all()
    # EMT's own lattice constant of gold, 4.055 Å: its energy there is 0 by construction.
    assert (found.crystals.volumes[0] * 4) ** (1 / 3) == pytest.approx(4.055, abs=0.01)
    assert found.energies_M[0] == pytest.approx(0, abs=1e-3)
    rows = slice(1, 3)
    atoms = Atoms(
        numbers=found.crystals.numbers[rows],
        scaled_positions=found.crystals.frac_coords[rows],
        cell=found.crystals.lattices[1],
        pbc=True,
        calculator=emt.EMT(),
    )
    assert np.linalg.norm(atoms.get_forces(), axis=1).max() < MOST_FORCE
    assert (found.crystals.frac_coords < 1).all()


@pytest.mark.slow
def test_several_processes_find_what_one_finds(monkeypatch):
    crystals = c.pack(GOLD, c.COPPER, SHIFTED)
    monkeypatch.setattr(evaluator, "ENERGIES_AT_ONCE", 1)
    monkeypatch.setattr(evaluator, "RELAXED_AT_ONCE", 1)

    one, two = (evaluator.relaxed(EMT(), crystals, processes) for processes in (1, 2))
    assert np.array_equal(one.energies_M, two.energies_M)
    assert np.array_equal(one.crystals.frac_coords, two.crystals.frac_coords)
    assert np.array_equal(
        evaluator.energies(EMT(), crystals), evaluator.energies(EMT(), crystals, 2)
    )


@pytest.mark.parametrize("what", ["energies", "relaxed"])
def test_a_potential_that_cannot_be_loaded_is_no_crystals_fault(what):
    class Broken(EMT):
        def calculator(self):
            raise RuntimeError("no driver")

    with pytest.raises(RuntimeError, match="no driver"):
        getattr(evaluator, what)(Broken(), c.COPPER)


@pytest.mark.parametrize("what", ["energies", "relaxed"])
def test_a_shortage_of_memory_is_said(monkeypatch, what):
    def short(self, *given, **named):
        raise torch.OutOfMemoryError("tried to allocate")

    monkeypatch.setattr(emt.EMT, "calculate", short)
    with pytest.raises(MemoryShortageError, match=r"tried to allocate; ask for fewer processes"):
        getattr(evaluator, what)(EMT(), c.COPPER)


def test_nothing_is_relaxed_to_nothing():
    nothing = c.COPPER.select([])

    found = evaluator.relaxed(EMT(), nothing)
    assert (len(found.crystals), len(found.energies_M)) == (0, 0)
    assert isinstance(found, Relaxed)
    assert isinstance(found.crystals, Crystals)
    assert len(evaluator.energies(EMT(), nothing)) == 0
