"""Free space and the cells of crystals, and what networks make of them."""

from dataclasses import replace

import pytest
import torch

from assay.chemistry.lattices import wrapped
from assay.conformance.targets import SMALL
from assay.generation.architectures.features import beside
from assay.generation.catalog import ARCHITECTURES
from assay.generation.denoiser import Atoms, Conditions, Denoiser, Interface, Prediction
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from tests.generation.crystals import TYPES, crystal_space, random_crystals
from tests.generation.molecules import random_atoms

TIME_B = torch.tensor([0.2, 0.5, 0.9])


def network(name: str, interface: Interface | None = None) -> Denoiser:
    torch.manual_seed(0)
    kind = architecture(name)
    made = kind(kind.Settings(**SMALL[name]), interface or Interface(crystal_space(), ("noise",)))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return made


def outputs(prediction: Prediction) -> dict[str, torch.Tensor]:
    return {name: value for name, value in vars(prediction).items() if value is not None}


def conditioned(made: Denoiser, atoms: Atoms) -> Prediction:
    """Return what a network says of crystals given an earlier prediction of itself."""
    shift = 0.01 * torch.arange(atoms.mask_BN.shape[1])[None, :, None] * atoms.mask_BN[..., None]
    first = made(atoms, TIME_B, None)
    earlier = replace(first, positions_BN3=wrapped(atoms.positions_BN3 + shift))
    return made(atoms, TIME_B, earlier)


def test_a_standardised_cell_is_one_cell_and_back():
    space, atoms = crystal_space(), random_crystals()
    n_atoms_B = atoms.mask_BN.sum(1)

    lattices_B33 = space.cells(atoms.cell_B6, n_atoms_B)

    assert (torch.linalg.det(lattices_B33) > 0).all()
    torch.testing.assert_close(
        space.standardised(lattices_B33, n_atoms_B), atoms.cell_B6, atol=1e-4, rtol=1e-4
    )


def test_the_sixth_number_is_the_volume_of_an_atom_whatever_their_number():
    space = crystal_space()
    cell_B6, n_atoms_B = torch.zeros(3, 6), torch.tensor([1, 5, 20])

    volumes_B = torch.linalg.det(space.cells(cell_B6, n_atoms_B)) / n_atoms_B

    torch.testing.assert_close(volumes_B, torch.full((3,), 0.9).mul(3).exp(), rtol=1e-4, atol=0)


def test_displacements_of_a_crystal_become_fractions_of_its_cell():
    space, atoms = crystal_space(), random_crystals()
    lattices_B33 = space.cells(atoms.cell_B6, atoms.mask_BN.sum(1)) / 1.72
    steps_BN3 = torch.randn(3, 9, 3)

    fractions_BN3 = space.coordinates(steps_BN3, atoms)

    torch.testing.assert_close(fractions_BN3 @ lattices_B33, steps_BN3, atol=1e-5, rtol=1e-4)


def test_free_space_moves_atoms_as_it_is_told():
    space, atoms = FreeSpace(5), random_atoms((3, 4))
    steps_BN3 = torch.randn(2, 4, 3)

    assert space.coordinates(steps_BN3, atoms) is steps_BN3
    assert space.pairs(atoms) is None
    assert torch.equal(
        space.vectors(atoms)[0, 1, 2], atoms.positions_BN3[0, 1] - atoms.positions_BN3[0, 2]
    )
    assert beside(steps_BN3, None) is steps_BN3


def test_features_of_pairs_do_not_see_lattice_translations():
    space, atoms = crystal_space(), random_crystals()
    whole_BN3 = torch.randint(-2, 3, atoms.positions_BN3.shape).float()
    moved = replace(atoms, positions_BN3=atoms.positions_BN3 + whole_BN3)

    assert space.pairs(atoms).shape[-1] == space.pair_features
    torch.testing.assert_close(space.pairs(moved), space.pairs(atoms), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_a_crystal_does_not_depend_on_padding_or_on_its_batch(name):
    made, tight, padded = network(name), random_crystals(), random_crystals(pad=4)

    here, there = conditioned(made, tight), conditioned(made, padded)

    mask = tight.mask_BN
    for field, value in outputs(here).items():
        other = outputs(there)[field]
        if value.ndim == 3:
            value, other = value[mask], other[:, : mask.shape[1]][mask]
        torch.testing.assert_close(other, value, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_lattice_translations_change_nothing_and_moves_of_the_whole_only_where_declared(name):
    made, atoms = network(name), random_crystals()
    whole_BN3 = torch.randint(-1, 2, atoms.positions_BN3.shape).float()
    image = replace(atoms, positions_BN3=atoms.positions_BN3 + whole_BN3)
    moved = replace(atoms, positions_BN3=wrapped(atoms.positions_BN3 + 0.3))
    plain = made(atoms, TIME_B, None)

    for field, value in outputs(made(image, TIME_B, None)).items():
        torch.testing.assert_close(value, outputs(plain)[field], atol=1e-4, rtol=1e-3)
    off = [
        float((value - outputs(plain)[field]).abs().max())
        for field, value in outputs(made(moved, TIME_B, None)).items()
    ]
    assert (max(off) < 1e-3) == made.equivariant


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_permuting_the_atoms_of_a_crystal_permutes_what_is_said_of_them(name):
    made, atoms = network(name), random_crystals((7, 7, 7))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    permuted = replace(
        atoms, positions_BN3=atoms.positions_BN3[:, order], types_BN=atoms.types_BN[:, order]
    )

    there, here = made(permuted, TIME_B, None), made(atoms, TIME_B, None)

    for field, value in outputs(here).items():
        expected = value[:, order] if value.ndim == 3 else value
        torch.testing.assert_close(outputs(there)[field], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_gradient_reaches_every_parameter_of_a_crystals_network(name):
    interface = Interface(crystal_space(), ("noise",), n_conditions=2)
    made, atoms = network(name, interface), random_crystals()
    conditions = Conditions(torch.randn(3, 2), torch.ones(3, 2, dtype=torch.bool))
    first = made(atoms, TIME_B, None, conditions).detach()

    said = made(atoms, TIME_B, first, conditions)
    sum((value * torch.randn_like(value)).sum() for value in outputs(said).values()).backward()

    silent = [
        name
        for name, parameter in made.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    assert silent == []


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("space", ["free", "crystal"])
@torch.no_grad()
def test_what_is_asked_for_matters_and_what_is_left_open_does_not(name, space):
    chosen = crystal_space() if space == "crystal" else FreeSpace(TYPES)
    made = network(name, Interface(chosen, n_conditions=2))
    atoms = random_crystals() if space == "crystal" else random_atoms((5, 9, 1))
    known = torch.tensor([[True, False]]).expand(3, 2)
    one = Conditions(torch.tensor([[1.0, 7.0]]).expand(3, 2), known)
    same = Conditions(torch.tensor([[1.0, -7.0]]).expand(3, 2), known)
    other = Conditions(torch.tensor([[2.0, 7.0]]).expand(3, 2), known)
    nothing = one.dropped(torch.zeros(3, dtype=torch.bool))

    def said(conditions: Conditions | None) -> torch.Tensor:
        return made(atoms, TIME_B, None, conditions).type_logits_BNK[atoms.mask_BN]

    assert torch.equal(said(one), said(same))
    assert not torch.allclose(said(one), said(other))
    assert torch.equal(said(nothing), said(None))
    assert not torch.allclose(said(one), said(None))


def test_a_detached_prediction_keeps_all_its_parts():
    made, atoms = network("gnn"), random_crystals()

    said = made(atoms, TIME_B, None)

    assert outputs(said.detach()).keys() == outputs(said).keys()
    assert not any(value.requires_grad for value in outputs(said.detach()).values())
