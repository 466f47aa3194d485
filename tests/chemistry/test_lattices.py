"""A lattice is what it is in any orientation, in any choice of cell and in any image."""

import math
import sys
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chemistry.crystals import Crystals
from assay.chemistry.lattices import (
    lattice_to_parameters,
    lattice_to_vector,
    minimum_image_vectors,
    niggli_reduced,
    parameters_to_lattice,
    torus_difference,
    vector_to_lattice,
    wrapped,
)
from assay.errors import DataError, MachineError
from tests.chemistry.geometries import random_rotation

SEEDS = st.integers(0, 2**32 - 1)


def random_lattices(generator, count=4, dtype=torch.float64):
    """Right-handed cells with edges of 2 to 12 Å and angles of 65 to 115 degrees."""
    lengths = torch.tensor(generator.uniform(2, 12, (count, 3)), dtype=dtype)
    angles = torch.tensor(generator.uniform(65, 115, (count, 3)), dtype=dtype)
    turns = torch.tensor(np.stack([random_rotation(generator) for _ in range(count)]), dtype=dtype)
    return parameters_to_lattice(lengths, angles) @ turns


def random_crystals(generator, count=4, atoms=5):
    """Crystals in their Niggli cells."""
    lattices = random_lattices(generator, count).float().numpy()
    n_atoms = np.full(count, atoms, np.int64)
    frac = generator.uniform(0, 1, (count * atoms, 3)).astype(np.float32)
    return niggli_reduced(Crystals(frac, np.full(len(frac), 6, np.uint8), n_atoms, lattices))


def dense(crystals, dtype=torch.float64):
    """Return frac_BN3, lattices_B33 and mask_BN of crystals of one size."""
    B = len(crystals)
    frac = torch.tensor(crystals.frac_coords.reshape(B, -1, 3), dtype=dtype)
    mask = torch.ones(frac.shape[:2], dtype=torch.bool)
    return frac, torch.tensor(crystals.lattices, dtype=dtype), mask


def by_all_images(frac, lattices, reach):
    """The plain formulation: every image of every pair, and the shortest of them."""
    images = torch.tensor(list(product(range(-reach, reach + 1), repeat=3)), dtype=frac.dtype)
    difference = torus_difference(frac[:, :, None] - frac[:, None])
    vectors = (difference[..., None, :] + images) @ lattices[:, None, None]
    nearest = vectors.square().sum(-1).argmin(-1)
    chosen = nearest[..., None, None].expand(*nearest.shape, 1, 3)
    return vectors.gather(3, chosen).squeeze(3)


def unimodular(generator):
    """A whole matrix of determinant 1."""
    change = np.eye(3)
    for _ in range(4):
        i, j = generator.choice(3, 2, replace=False)
        change[i] += generator.integers(-1, 2) * change[j]
    return change


# --- parameters and the six numbers of a cell ---------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parameters_are_those_of_pymatgen(dtype):
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    lattices = random_lattices(np.random.default_rng(0), 20, dtype)
    lengths, angles = lattice_to_parameters(lattices)
    assert lengths.dtype == angles.dtype == dtype
    for lattice, a, b in zip(lattices.numpy(), lengths, angles, strict=True):
        expected = core.Lattice(lattice)
        np.testing.assert_allclose(a, expected.lengths, rtol=1e-6)
        np.testing.assert_allclose(b, expected.angles, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_parameters_make_the_cell_up_to_a_rotation(seed):
    lattices = random_lattices(np.random.default_rng(seed))
    again = parameters_to_lattice(*lattice_to_parameters(lattices))
    torch.testing.assert_close(again @ again.mT, lattices @ lattices.mT)
    torch.testing.assert_close(torch.linalg.det(again), torch.linalg.det(lattices))
    assert not again.triu(1).any()


def test_angles_that_no_cell_has_give_a_singular_lattice():
    lattice = parameters_to_lattice(torch.full((1, 3), 5.0), torch.tensor([[30.0, 30.0, 90.0]]))
    assert torch.linalg.det(lattice) == 0


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_the_vector_of_a_cell_forgets_its_orientation_and_nothing_else(seed):
    generator = np.random.default_rng(seed)
    lattices = random_lattices(generator)
    vectors = lattice_to_vector(lattices)
    again = vector_to_lattice(vectors)
    torch.testing.assert_close(again @ again.mT, lattices @ lattices.mT)
    torch.testing.assert_close(again, again.mT)
    turned = lattices @ torch.tensor(random_rotation(generator), dtype=torch.float64)
    torch.testing.assert_close(lattice_to_vector(turned), vectors, rtol=0, atol=1e-5)
    torch.testing.assert_close(vectors[:, 5], torch.linalg.det(lattices).log() / 3)


def test_the_vector_is_in_the_basis_of_diffcsp():
    """Equation by equation: L = exp(Σ k_i B_i) with their six symmetric matrices."""
    vectors = torch.tensor(np.random.default_rng(0).normal(0, 0.3, (5, 6)))
    basis = torch.zeros(6, 3, 3, dtype=torch.float64)
    for k, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        basis[k, i, j] = basis[k, j, i] = 1
    for k, diagonal in enumerate([[1, -1, 0], [1, 1, -2], [1, 1, 1]], start=3):
        basis[k] = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    expected = torch.linalg.matrix_exp(torch.einsum("bk,kij->bij", vectors, basis))
    torch.testing.assert_close(vector_to_lattice(vectors), expected)
    torch.testing.assert_close(lattice_to_vector(expected), vectors)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=6, max_size=6))
def test_every_real_vector_is_a_right_handed_cell(values):
    vector = torch.tensor([values], dtype=torch.float32)
    lattice = vector_to_lattice(vector)
    assert lattice.isfinite().all()
    assert torch.linalg.det(lattice.double()) > 0
    assert lattice_to_vector(lattice).isfinite().all()


def test_the_gradient_of_a_cubic_cell_is_finite():
    """Its eigenvalues are equal, where the gradient of an eigendecomposition is not."""
    vectors = torch.zeros(2, 6, requires_grad=True)
    (vector_to_lattice(vectors) ** 2 * torch.arange(9.0).view(3, 3)).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
    assert vectors.grad.abs().sum() > 0


# --- the torus ----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 50, width=32))
def test_wrapping_moves_by_whole_cells_into_the_cell(value):
    inside = float(wrapped(torch.tensor([value])))
    assert 0 <= inside < 1
    assert math.isclose((inside - value) % 1, round((inside - value) % 1), abs_tol=1e-5)


def test_the_least_negative_number_wraps_to_zero():
    given_ = torch.tensor([-1e-9, -0.0, 1.0, 0.25])
    assert wrapped(given_).tolist() == [0.0, 0.0, 0.0, 0.25]


@settings(max_examples=200, deadline=None)
@given(st.floats(-1, 1, width=32))
def test_differences_go_the_short_way(value):
    short = float(torus_difference(torch.tensor([value])))
    assert -0.5 < short <= 0.5
    assert math.isclose(short - value, round(short - value), abs_tol=1e-6)


def test_half_a_cell_away_is_always_plus_a_half():
    assert torus_difference(torch.tensor([-0.5, 0.5])).tolist() == [0.5, 0.5]


# --- minimum images -----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_minimum_images_are_those_of_the_plain_formulation(seed):
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(seed)))
    found = minimum_image_vectors(frac, lattices, mask)
    torch.testing.assert_close(found, by_all_images(frac, lattices, reach=1))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_no_image_further_away_is_nearer_in_a_niggli_cell(seed):
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(seed), count=2))
    found = minimum_image_vectors(frac, lattices, mask).norm(dim=-1)
    torch.testing.assert_close(found, by_all_images(frac, lattices, reach=3).norm(dim=-1))


def test_distances_are_those_of_pymatgen():
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(3)))
    found = minimum_image_vectors(frac, lattices, mask).norm(dim=-1)
    for distances, f, lattice in zip(found, frac, lattices, strict=True):
        expected = core.Lattice(lattice.numpy()).get_all_distances(f.numpy(), f.numpy())
        np.testing.assert_allclose(distances, expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_moving_atoms_by_whole_cells_or_all_alike_changes_no_vector(seed):
    generator = np.random.default_rng(seed)
    frac, lattices, mask = dense(random_crystals(generator))
    expected = minimum_image_vectors(frac, lattices, mask)
    whole = torch.tensor(generator.integers(-3, 4, frac.shape), dtype=frac.dtype)
    alike = torch.tensor(generator.uniform(-1, 1, (len(frac), 1, 3)))
    torch.testing.assert_close(minimum_image_vectors(frac + whole, lattices, mask), expected)
    torch.testing.assert_close(minimum_image_vectors(frac + alike, lattices, mask), expected)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_vectors_turn_with_the_crystal(seed):
    generator = np.random.default_rng(seed)
    frac, lattices, mask = dense(random_crystals(generator))
    turn = torch.tensor(random_rotation(generator), dtype=frac.dtype)
    torch.testing.assert_close(
        minimum_image_vectors(frac, lattices @ turn, mask),
        minimum_image_vectors(frac, lattices, mask) @ turn,
        rtol=1e-5,
        atol=1e-5,
    )


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_choice_of_cell_changes_no_distance(seed):
    generator = np.random.default_rng(seed)
    crystals = random_crystals(generator, count=3)
    change = unimodular(generator)
    frac = crystals.frac_coords @ np.linalg.inv(change)
    other = Crystals(
        wrapped(torch.tensor(frac)).float().numpy(),
        crystals.numbers,
        crystals.n_atoms,
        (change @ crystals.lattices).astype(np.float32),
    )
    found = minimum_image_vectors(*dense(niggli_reduced(other))).norm(dim=-1)
    expected = minimum_image_vectors(*dense(crystals)).norm(dim=-1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_padding_and_an_atom_itself_have_no_vector_and_disturb_none():
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(5), atoms=4))
    alone = minimum_image_vectors(frac[:, :3], lattices, mask[:, :3])
    mask[:, 3] = False
    padded = minimum_image_vectors(frac, lattices, mask)
    torch.testing.assert_close(padded[:, :3, :3], alone)
    assert not padded[:, 3].any()
    assert not padded[:, :, 3].any()
    assert not padded.diagonal(dim1=1, dim2=2).any()


def test_vectors_have_the_gradient_of_the_plain_formulation():
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(6)))
    weights = torch.rand(4, 5, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    gradients = []
    for vectors in (
        lambda f, m: minimum_image_vectors(f, m, mask),
        lambda f, m: by_all_images(f, m, reach=1),
    ):
        f, m = frac.clone().requires_grad_(), lattices.clone().requires_grad_()
        (vectors(f, m) * weights).sum().backward()
        gradients.append((f.grad, m.grad))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_lower_precision_around_it_changes_no_vector():
    frac, lattices, mask = dense(random_crystals(np.random.default_rng(7)), torch.float32)
    expected = minimum_image_vectors(frac, lattices, mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = minimum_image_vectors(frac, lattices, mask)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@pytest.mark.data
def test_the_27_images_are_enough_for_the_cells_of_mp20(assay_data):
    with np.load(assay_data / "mp20" / "mp20.npz") as arrays:
        offsets = arrays["offsets"].astype(np.int64)
        frac_coords, cells = arrays["frac_coords"], arrays["lattice"]
    for size in (3, 8, 20):
        chosen = np.flatnonzero(np.diff(offsets) == size)[:400]
        rows = offsets[chosen, None] + np.arange(size)
        frac = torch.from_numpy(frac_coords[rows])
        lattices = torch.from_numpy(cells[chosen])
        mask = torch.ones(frac.shape[:2], dtype=torch.bool)
        found = minimum_image_vectors(frac, lattices, mask).norm(dim=-1)
        if size == 20:  # of 400 pairs each: 125 images of all of them would take long
            chosen, found = chosen[:40], found[:40]
        count = len(chosen)
        expected = by_all_images(frac[:count], lattices[:count], reach=2).norm(dim=-1)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


# --- Niggli cells -------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_niggli_cell_holds_the_same_crystal_right_handed_with_its_shortest_vectors(seed):
    generator = np.random.default_rng(seed)
    crystals = random_crystals(generator, count=2)
    sheared = (unimodular(generator) @ crystals.lattices).astype(np.float32)
    reduced = niggli_reduced(
        Crystals(crystals.frac_coords, crystals.numbers, crystals.n_atoms, sheared)
    )
    np.testing.assert_allclose(reduced.volumes, crystals.volumes, rtol=1e-5)
    lengths = np.linalg.norm(reduced.lattices, axis=-1)
    assert (np.diff(lengths) > -1e-3).all()
    np.testing.assert_allclose(lengths, np.linalg.norm(crystals.lattices, axis=-1), rtol=1e-3)
    assert ((reduced.frac_coords >= 0) & (reduced.frac_coords < 1)).all()


def test_niggli_cells_are_those_of_pymatgen():
    core = pytest.importorskip("pymatgen.core", reason="pymatgen is not installed")
    lattices = random_lattices(np.random.default_rng(8), 20).float().numpy()
    crystals = Crystals(
        np.zeros((20, 3), np.float32), np.ones(20, np.uint8), np.ones(20, np.int64), lattices
    )
    found = lattice_to_parameters(torch.from_numpy(niggli_reduced(crystals).lattices))
    for lengths, angles, lattice in zip(*found, lattices, strict=True):
        expected = core.Lattice(lattice).get_niggli_reduced_lattice()
        np.testing.assert_allclose(lengths, expected.lengths, rtol=1e-4)
        np.testing.assert_allclose(angles, expected.angles, rtol=1e-4)


def test_a_cell_that_cannot_be_reduced_is_named():
    lattices = np.stack([np.eye(3), np.ones((3, 3))]).astype(np.float32)
    flat = Crystals(
        np.zeros((2, 3), np.float32), np.ones(2, np.uint8), np.ones(2, np.int64), lattices
    )
    with pytest.raises(DataError, match="crystal 2: its cell has no Niggli form; leave it out"):
        niggli_reduced(flat)


def test_without_spglib_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spglib", None)
    with pytest.raises(MachineError, match=r"spglib is not installed; run `pip install 'assay-be"):
        random_crystals(np.random.default_rng(0))


def test_what_is_not_a_number_does_not_wrap_to_the_origin():
    found = wrapped(torch.tensor([float("nan"), float("inf"), -1e-9, 1.25]))

    assert found[:2].isnan().all()
    assert found[2:].tolist() == [0.0, 0.25]
