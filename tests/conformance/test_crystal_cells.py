"""Every architecture with every process on crystals: what makes a cell of the grid sound."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from assay.chemistry.lattices import torus_difference
from assay.conformance.targets import SMALL
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.denoiser import Atoms, Interface
from assay.generation.processes.geometry import PERIODIC
from assay.generation.processes.process import PathPoint
from assay.generation.settings import architecture, process
from assay.training.draws import Draws
from tests.generation.crystals import TYPES, crystal_space, random_crystals

CELLS = list(product(ARCHITECTURES, PROCESSES))
PRIOR = torch.full((TYPES,), 1 / TYPES)


class CrystalCell:
    def __init__(self, architecture_name: str, process_name: str, steps: int = 8) -> None:
        network, path = architecture(architecture_name), process(process_name)
        self.process = path(path.Settings(steps=steps), PRIOR, PERIODIC)
        torch.manual_seed(0)
        interface = Interface(crystal_space(), tuple(self.process.heads))
        self.network = network(network.Settings(**SMALL[architecture_name]), interface)

    def point(self, clean: Atoms, step: int = 0) -> PathPoint:
        return self.process.path(clean, Draws(0, step, torch.arange(len(clean.mask_BN))))

    def parts(self, point: PathPoint) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            before = self.process.predict(self.network, point.atoms, point.time_B, None)
        prediction = self.process.predict(self.network, point.atoms, point.time_B, before)
        return dict(self.process.losses(prediction, point))

    def sample(self, mask_BN: torch.Tensor, rows: list[int], seed: int = 0) -> Atoms:
        ids = torch.tensor([11, 12, 13])
        return self.process.sample(
            self.network, mask_BN[rows], ids[rows], seed, lambda fraction: None
        )


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def cell(request) -> CrystalCell:
    return CrystalCell(*request.param)


def test_every_part_of_the_loss_is_finite_and_has_a_gradient(cell):
    parts = cell.parts(cell.point(random_crystals()))

    wanted = {"positions", "types", "cell"}
    wanted |= {"noise", "cell_noise"} if cell.process.heads else set()
    assert parts.keys() == wanted
    for value_B in parts.values():
        assert value_B.shape == (3,)
        assert torch.isfinite(value_B).all()
    sum(value_B.sum() for value_B in parts.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in cell.network.parameters())


def test_the_loss_sees_where_the_whole_crystal_lies_only_where_declared(cell):
    point = cell.point(random_crystals())
    shift = torch.tensor([0.3, 0.7, 0.1])

    def moved(atoms: Atoms) -> Atoms:
        inside = (atoms.positions_BN3 + shift) % 1 * atoms.mask_BN.unsqueeze(-1)
        return replace(atoms, positions_BN3=inside)

    clean, atoms = moved(point.clean), moved(point.atoms)
    end_BS3 = PERIODIC.state(atoms) + point.end_BS3 - PERIODIC.state(point.atoms)
    there = replace(point, clean=clean, atoms=atoms, end_BS3=end_BS3)

    with torch.no_grad():
        here_parts, there_parts = cell.parts(point), cell.parts(there)
    alike = [
        torch.allclose(there_parts[name], value_B, atol=2e-3, rtol=2e-3)
        for name, value_B in here_parts.items()
    ]
    assert all(alike) == cell.network.equivariant  # others are trained on random translations


def test_the_loss_falls_on_one_batch(cell):
    point = cell.point(random_crystals((4, 6, 6)))
    optimizer = torch.optim.AdamW(cell.network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = sum(value_B.mean() for value_B in cell.parts(point).values())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.6 * losses[0]


@torch.no_grad()
def test_samples_are_crystals_and_a_seed_makes_them_again(cell):
    mask_BN = random_crystals((5, 9, 1), pad=2).mask_BN

    one, again = cell.sample(mask_BN, [0, 1, 2]), cell.sample(mask_BN, [0, 1, 2])
    other = cell.sample(mask_BN, [0, 1, 2], seed=1)

    assert torch.isfinite(one.positions_BN3).all()
    assert ((one.positions_BN3 >= 0) & (one.positions_BN3 < 1)).all()
    assert one.positions_BN3[~mask_BN].abs().max() == 0
    assert ((one.types_BN >= 0) & (one.types_BN < TYPES)).all()
    volumes_B = torch.linalg.det(crystal_space().cells(one.cell_B6, mask_BN.sum(1)))
    assert (volumes_B > 0).all()
    assert torch.equal(one.positions_BN3, again.positions_BN3)
    assert torch.equal(one.cell_B6, again.cell_B6)
    assert not torch.equal(one.positions_BN3, other.positions_BN3)
    assert not torch.equal(one.cell_B6, other.cell_B6)


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(cell):
    mask_BN = random_crystals((5, 9, 1)).mask_BN

    together, alone = cell.sample(mask_BN, [0, 1, 2]), cell.sample(mask_BN, [1])

    off = torus_difference(alone.positions_BN3 - together.positions_BN3[1:2])
    assert off.abs().max() < 1e-2
    torch.testing.assert_close(alone.cell_B6, together.cell_B6[1:2], atol=5e-3, rtol=1e-3)
