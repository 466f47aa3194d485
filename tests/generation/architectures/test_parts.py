"""Networks work on parts of a batch, and what they say does not depend on how it is cut."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assay.conformance.targets import SMALL
from assay.generation.architectures import parts
from assay.generation.architectures.parts import cut, split
from assay.generation.catalog import ARCHITECTURES
from assay.generation.denoiser import Atoms, Denoiser, Interface, Prediction
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from assay.training.meter import measure_flops
from tests.generation.crystals import crystal_space, random_crystals
from tests.generation.molecules import random_atoms

SIZES = (5, 9, 1, 7, 9, 5, 6)
FLOATS = 2 * 9 * 9 * 16  # of two systems as large as the largest


@given(
    systems=st.integers(1, 40),
    atoms=st.integers(1, 12),
    width=st.integers(1, 8),
    floats=st.integers(1, 4000),
)
def test_parts_are_like_large_and_fit_the_cache(systems, atoms, width, floats):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_FLOATS", floats)
        patch.setattr(torch, "get_num_threads", lambda: 2)

        found = cut(torch.ones(systems, atoms, dtype=torch.bool), width)

    assert sum(found) == systems
    assert 1 <= min(found) >= max(found) - 1
    largest_that_fits = max(1, 2 * floats // (atoms * atoms * width))
    assert max(found) <= largest_that_fits
    fewer = len(found) - 1
    assert fewer == 0 or -(-systems // fewer) > largest_that_fits


def test_on_a_gpu_a_batch_is_one_part():
    assert cut(torch.ones(64, 400, dtype=torch.bool, device="meta"), 256) == [64]


def test_parts_hold_the_systems_in_their_order():
    crystals = random_crystals((7, 3, 9, 2))

    first, second = split(crystals, [3, 1])

    assert torch.equal(first.joined(second).positions_BN3, crystals.positions_BN3)
    assert torch.equal(first.mask_BN, crystals.mask_BN[:3])
    assert torch.equal(second.types_BN, crystals.types_BN[3:])
    assert torch.equal(second.cell_B6, crystals.cell_B6[3:])
    assert [part.cell_B6 for part in split(replace(crystals, cell_B6=None), [3, 1])] == [None] * 2


def made(name: str, crystals: bool = False) -> Denoiser:
    torch.manual_seed(0)
    kind = architecture(name)
    space = crystal_space() if crystals else FreeSpace(5)
    network = kind(kind.Settings(**SMALL[name]), Interface(space, ("noise",)))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return network


def said(network: Denoiser, atoms: Atoms) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return all outputs, conditioned on an earlier prediction, and all gradients."""
    network.zero_grad()
    time_B = torch.linspace(0.1, 0.9, len(atoms.mask_BN)).to(atoms.positions_BN3)
    prediction = network(atoms, time_B, network(atoms, time_B, None).detach())
    found = outputs(prediction, atoms)
    sum(x.square().sum() for x in found).backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return [x.detach() for x in found], gradients


def outputs(prediction: Prediction, atoms: Atoms) -> list[torch.Tensor]:
    found = [value for value in vars(prediction).values() if isinstance(value, torch.Tensor)]
    return [x * atoms.mask_BN.unsqueeze(-1) if x.ndim == 3 else x for x in found]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_says_the_same_of_parts_as_of_the_whole(name, monkeypatch):
    network, atoms = made(name).double(), random_atoms(SIZES)
    atoms = replace(atoms, positions_BN3=atoms.positions_BN3.double())
    whole, gradients = said(network, atoms)
    monkeypatch.setattr(parts, "_FLOATS", FLOATS // torch.get_num_threads())

    in_parts, gradients_of_parts = said(network, atoms)

    assert len(cut(atoms.mask_BN, 16)) == 4
    assert all(x.dtype == torch.float64 for x in in_parts)
    torch.testing.assert_close(in_parts, whole, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(gradients_of_parts, gradients, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_so_it_does_of_crystals(name, monkeypatch):
    network, atoms = made(name, crystals=True), random_crystals((7, 3, 9, 2))
    whole, gradients = said(network, atoms)
    monkeypatch.setattr(parts, "_FLOATS", FLOATS // torch.get_num_threads())

    in_parts, gradients_of_parts = said(network, atoms)

    torch.testing.assert_close(in_parts, whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(gradients_of_parts, gradients, atol=1e-3, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_packed_with_its_like_a_molecule_is_what_it_is_in_a_padded_batch(name, monkeypatch):
    monkeypatch.setattr(parts, "_FLOATS", FLOATS // torch.get_num_threads())
    network, atoms = made(name).double(), random_atoms(SIZES, pad=3)
    atoms = replace(atoms, positions_BN3=atoms.positions_BN3.double())
    time_B = torch.linspace(0.1, 0.9, len(SIZES), dtype=torch.float64)

    padded = network(atoms, time_B, None)

    for size in set(SIZES):
        like = [row for row, n in enumerate(SIZES) if n == size]
        x_BN3, types_BN = atoms.positions_BN3[like, :size], atoms.types_BN[like, :size]
        packed = network(Atoms(x_BN3, types_BN, atoms.mask_BN[like, :size]), time_B[like], None)
        for a, b in zip(vars(packed).values(), vars(padded).values(), strict=True):
            if a is not None:
                torch.testing.assert_close(a, b[like, :size], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_flops_of_a_batch_do_not_depend_on_how_it_is_cut(name, monkeypatch):
    network, atoms = made(name), random_atoms(SIZES)
    _, whole = measure_flops(lambda: said(network, atoms))
    monkeypatch.setattr(parts, "_FLOATS", FLOATS // torch.get_num_threads())

    _, in_parts = measure_flops(lambda: said(network, atoms))

    assert in_parts == whole > 0


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_compiled_network_is_one_graph_and_says_the_same(name):
    network, atoms = made(name), random_atoms(SIZES)
    time_B = torch.linspace(0.1, 0.9, len(SIZES))
    eager = network(atoms, time_B, None)

    compiled = torch.compile(network, fullgraph=True)(atoms, time_B, None)

    torch.testing.assert_close(
        outputs(compiled, atoms), outputs(eager, atoms), atol=1e-5, rtol=1e-4
    )
