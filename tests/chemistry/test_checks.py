"""What cannot be meant is refused, with its record and the reason; what is merely odd passes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from assay.chemistry.checks import (
    MOST_ATOMS,
    absurd_records,
    check_molecules,
    foreign_units,
    nearest_neighbours,
    suspect_units,
    wrong_unit,
)
from assay.chemistry.molecules import Molecules
from assay.errors import DataError

WATER = [(8, 0.0, 0.0, 0.0), (1, 0.96, 0.0, 0.0), (1, -0.24, 0.93, 0.0)]
CARBON_DIOXIDE = [(6, 0.0, 0.0, 0.0), (8, 1.16, 0.0, 0.0), (8, -1.16, 0.0, 0.0)]
HYDROGEN = [(1, 0.0, 0.0, 0.0), (1, 0.74, 0.0, 0.0)]
HYDROGEN_IODIDE = [(53, 0.0, 0.0, 0.0), (1, 1.61, 0.0, 0.0)]
ARGON = [(18, 3.0, 3.0, 3.0)]


def molecules_of(*given, scale=1.0):
    atoms = np.array([atom for molecule in given for atom in molecule], dtype=np.float64)
    atoms = atoms.reshape(-1, 4)
    return Molecules(
        (atoms[:, 1:] * scale).astype(np.float32),
        atoms[:, 0].astype(np.uint8),
        np.array([len(molecule) for molecule in given], dtype=np.int64),
    )


def test_real_molecules_pass():
    molecules = molecules_of(WATER, CARBON_DIOXIDE, HYDROGEN, HYDROGEN_IODIDE, ARGON)
    assert absurd_records(molecules) == []
    assert suspect_units(molecules) == []
    check_molecules(molecules, np.arange(5), "here")


def test_each_absurdity_is_named_with_its_record():
    nan = [(6, np.nan, 0, np.inf), (1, 1, 0, 0)]
    unknown = [(0, 0, 0, 0), (1, 1, 0, 0)]
    heavy = [(119, 0, 0, 0), (1, 1.6, 0, 0)]
    twice = [*WATER, WATER[0]]
    molecules = molecules_of(WATER, [], nan, unknown, heavy, twice)
    assert absurd_records(molecules) == [
        (1, "it has no atoms"),
        (2, "2 coordinates are not finite"),
        (3, "no element has number 0"),
        (4, "no element has number 119"),
        (5, "two of its atoms are less than 0.01 Å apart"),
    ]


def test_a_refusal_names_file_record_and_reason():
    molecules = molecules_of(WATER, [(6, np.nan, 0, 0)], [])
    with pytest.raises(DataError) as error:
        check_molecules(molecules, np.array([10, 4211, 30]), "qm9.npz")
    assert str(error.value) == (
        "qm9.npz: record 4211: 1 coordinates are not finite (1 more records are at fault)"
    )


@pytest.mark.parametrize(
    ("scale", "sentence"),
    [
        (0.1, "looks like nanometres, expected Å"),
        (1 / 0.529177, "looks like Bohr, expected Å"),
        (100.0, "Å from the nearest atom: expected Å"),
        (1 / 1.72, "0.56 Å from the nearest atom: expected Å"),
    ],
    ids=["nanometres", "Bohr", "picometres", "scaled"],
)
def test_a_wrong_unit_is_recognised(scale, sentence):
    molecules = molecules_of(WATER, WATER, scale=scale)
    assert [index for index, _ in suspect_units(molecules)] == [0, 1]
    assert sentence in str(wrong_unit(molecules))
    with pytest.raises(DataError, match=f"here: record 5: .*{sentence}"):
        check_molecules(molecules, np.array([5, 6]), "here")


def test_nanometres_are_recognised_without_hydrogens():
    assert "nanometres" in str(wrong_unit(molecules_of(CARBON_DIOXIDE, scale=0.1)))


METHANE = [
    (6, 0.0, 0.0, 0.0), (1, 0.63, 0.63, 0.63), (1, -0.63, -0.63, 0.63), (1, -0.63, 0.63, -0.63),
    (1, 0.63, -0.63, -0.63),
]  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "unit"), [(0.1, "nanometres"), (1 / 0.529177, "Bohr")], ids=["nanometres", "Bohr"]
)
def test_a_single_molecule_in_another_unit_is_told_where_that_is_certain(scale, unit):
    one = molecules_of(METHANE, scale=scale)
    positions = np.concatenate([molecules_of(WATER).positions, one.positions])
    numbers = np.concatenate([molecules_of(WATER).numbers, one.numbers])
    mixed = Molecules(positions, numbers, np.array([3, 5], dtype=np.int64))

    assert foreign_units(mixed) == [(1, f"its atoms are bound as in {unit}, and none as in Å")]
    assert foreign_units(molecules_of(WATER, scale=scale)) != []


def test_what_may_be_a_poor_sample_is_in_no_other_unit():
    torn = [(8, 0, 0, 0), (1, 2.1, 0, 0), (1, 0, 2.0, 0)]
    apart = [(6, 0, 0, 0), (6, 2.6, 0, 0), (8, 0, 2.6, 0)]
    heap = [(6, 0.02 * k, 0, 0) for k in range(6)]
    odd = molecules_of(torn, apart, heap, ARGON, [], HYDROGEN, [(1, 0, 0, 0), (1, 1.4, 0, 0)])

    assert foreign_units(odd) == []


def test_a_molecule_of_very_many_atoms_is_refused_without_comparing_them():
    grid = np.stack(np.meshgrid(*[np.arange(10)] * 3), axis=-1).reshape(-1, 3).astype(np.float32)
    heap = np.concatenate([grid] * 10)  # of 10,000, each place ten times
    molecules = Molecules(
        np.concatenate([heap, 1.5 * grid[:MOST_ATOMS]]),
        np.full(len(heap) + MOST_ATOMS, 6, np.uint8),
        np.array([len(heap), MOST_ATOMS], dtype=np.int64),
    )

    assert absurd_records(molecules) == [(0, "it has 10,000 atoms, at most 999")]
    assert np.isnan(nearest_neighbours(molecules)[: len(heap)]).all()
    assert suspect_units(molecules) == []
    assert foreign_units(molecules) == []


def test_one_poor_sample_is_no_wrong_unit_but_is_no_data_either():
    torn = [(8, 0, 0, 0), (1, 2.1, 0, 0), (1, 0, 2.0, 0)]
    molecules = molecules_of(*[WATER] * 5, torn)
    assert wrong_unit(molecules) is None
    with pytest.raises(DataError, match=r"record 5: hydrogens are 2\.00 Å"):
        check_molecules(molecules, np.arange(6), "here")


def test_nothing_is_no_wrong_unit():
    assert wrong_unit(molecules_of()) is None
    assert absurd_records(molecules_of()) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.integers(0, 2**31))
def test_nearest_neighbours_are_those_of_scipy(sizes, seed):
    positions = np.random.default_rng(seed).normal(size=(sum(sizes), 3)).astype(np.float32)
    n_atoms = np.array(sizes, dtype=np.int64)
    molecules = Molecules(positions, np.ones(len(positions), np.uint8), n_atoms)
    expected = []
    for own in np.split(positions, np.cumsum(sizes)[:-1]):
        if len(own):
            expected.append((cdist(own, own) + np.diag(np.full(len(own), np.inf))).min(1))
    found = nearest_neighbours(molecules)
    np.testing.assert_allclose(found, np.concatenate([[], *expected]), rtol=1e-5)
