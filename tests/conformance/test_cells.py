"""What every cell of the grid must satisfy: architecture × process, one suite for all nine."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file

from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.denoiser import Atoms, Interface, Prediction
from assay.generation.processes.process import PathPoint
from assay.generation.settings import architecture, process
from assay.generation.space import FreeSpace
from assay.training.draws import Draws
from tests.generation.molecules import PRIOR, TYPES, grid_molecules, random_atoms

CELLS = [(a, p) for a in ARCHITECTURES for p in PROCESSES]
SMALL = {
    "gnn": {"width": 16, "depth": 2, "radial": 8},
    "transformer": {"width": 32, "depth": 2, "heads": 4, "radial": 8},
    "pairformer": {
        "width": 16, "pair_width": 8, "depth": 1, "heads": 2, "pair_heads": 2, "radial": 8
    },
}  # fmt: skip


class CellUnderTest:
    """A small network that has left its initialisation, and its process."""

    def __init__(self, architecture_name: str, process_name: str, steps: int = 8) -> None:
        network, path = architecture(architecture_name), process(process_name)
        self.process = path(path.Settings(steps=steps), PRIOR)
        torch.manual_seed(0)
        settings = network.Settings(**SMALL[architecture_name])
        self.network = network(settings, Interface(FreeSpace(TYPES), self.process.heads))
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter += 0.02 * torch.randn_like(parameter)

    def __call__(self, atoms: Atoms, previous: Prediction | None = None) -> Prediction:
        time_B = torch.linspace(0.2, 0.9, len(atoms.mask_BN))
        return self.process.predict(self.network, atoms, time_B, previous)

    def point(self, clean: Atoms, step: int = 0) -> PathPoint:
        return self.process.path(clean, Draws(0, step, torch.arange(len(clean.mask_BN))))

    def loss(self, point: PathPoint, conditioned: bool = False) -> torch.Tensor:
        previous = None
        if conditioned:
            with torch.no_grad():
                previous = self.process.predict(self.network, point.atoms, point.time_B, None)
        prediction = self.process.predict(self.network, point.atoms, point.time_B, previous)
        return sum(part.mean() for part in self.process.losses(prediction, point).values())


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def cell(request) -> CellUnderTest:
    return CellUnderTest(*request.param)


def outputs(prediction: Prediction) -> list[torch.Tensor]:
    heads = [prediction.positions_BN3, prediction.type_logits_BNK, prediction.noise_BN3]
    return [head for head in heads if head is not None]


def previous_for(cell: CellUnderTest, atoms: Atoms) -> Prediction:
    with torch.no_grad():
        return cell(atoms)


@torch.no_grad()
def test_permuting_atoms_permutes_the_prediction(cell):
    atoms = random_atoms((7, 7))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    permuted = Atoms(atoms.positions_BN3[:, order], atoms.types_BN[:, order], atoms.mask_BN)

    there = cell(permuted, previous_for(cell, permuted))
    here = cell(atoms, previous_for(cell, atoms))

    for a, b in zip(outputs(there), outputs(here), strict=True):
        torch.testing.assert_close(a, b[:, order], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_padding_never_leaks(cell):
    tight, padded = random_atoms((5, 9, 7)), random_atoms((5, 9, 7), pad=6)

    here = cell(tight, previous_for(cell, tight))
    there = cell(padded, previous_for(cell, padded))

    for a, b in zip(outputs(here), outputs(there), strict=True):
        mask = tight.mask_BN
        torch.testing.assert_close(b[:, : mask.shape[1]][mask], a[mask], atol=2e-5, rtol=1e-4)
    assert there.positions_BN3[~padded.mask_BN].abs().max() == 0


@torch.no_grad()
def test_a_molecule_does_not_depend_on_its_batch(cell):
    atoms = random_atoms((5, 9, 7))
    alone = Atoms(atoms.positions_BN3[1:2], atoms.types_BN[1:2], atoms.mask_BN[1:2])
    time_B = torch.tensor([0.3, 0.6, 0.8])

    together = cell.process.predict(cell.network, atoms, time_B, None)
    single = cell.process.predict(cell.network, alone, time_B[1:2], None)

    for a, b in zip(outputs(together), outputs(single), strict=True):
        torch.testing.assert_close(a[1:2], b, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_symmetry_is_what_the_architecture_declares(cell):
    atoms = random_atoms((8, 8, 8))
    rotation = Draws(0, 0, torch.arange(1)).rotation("r")[0]
    improper = -rotation
    previous = previous_for(cell, atoms)
    plain = cell(atoms, previous)
    for transform in (rotation, improper):
        turned = Atoms(atoms.positions_BN3 @ transform, atoms.types_BN, atoms.mask_BN)
        prediction = cell(
            turned, Prediction(previous.positions_BN3 @ transform, previous.type_logits_BNK)
        )
        off = (prediction.positions_BN3 - plain.positions_BN3 @ transform).abs().max()
        off_types = (prediction.type_logits_BNK - plain.type_logits_BNK).abs().max()
        if cell.network.equivariant:
            assert off < 1e-4
            assert off_types < 1e-4
            if plain.noise_BN3 is not None:
                assert (prediction.noise_BN3 - plain.noise_BN3 @ transform).abs().max() < 1e-4
        else:
            # Declared as not equivariant: it is trained on random rotations instead.
            assert off > 1e-4


@torch.no_grad()
def test_predictions_are_mean_free(cell):
    atoms = random_atoms((5, 9, 7))

    means = cell(atoms).positions_BN3.sum(1)

    assert means.abs().max() < 1e-4


def test_gradient_reaches_every_parameter(cell):
    point = cell.point(random_atoms((5, 9, 7)))

    cell.loss(point, conditioned=True).backward()

    silent = [
        name
        for name, parameter in cell.network.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    assert silent == []


def test_the_loss_falls_on_one_batch(cell):
    point = cell.point(grid_molecules())
    optimizer = torch.optim.AdamW(cell.network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = cell.loss(point)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.6 * losses[0]


@torch.no_grad()
def test_the_sampler_is_finite_mean_free_and_reproducible(cell):
    mask_BN = random_atoms((5, 9, 7), pad=2).mask_BN
    ids = torch.tensor([11, 12, 13])

    def sample(rows: list[int], seed: int = 0) -> Atoms:
        chosen = torch.tensor(rows)
        return cell.process.sample(
            cell.network, mask_BN[chosen], ids[chosen], seed, lambda fraction: None
        )

    one, again, other_seed = sample([0, 1, 2]), sample([0, 1, 2]), sample([0, 1, 2], seed=1)

    assert torch.isfinite(one.positions_BN3).all()
    assert one.positions_BN3.sum(1).abs().max() < 1e-3
    assert one.positions_BN3[~mask_BN].abs().max() == 0
    assert ((one.types_BN >= 0) & (one.types_BN < TYPES)).all()
    assert torch.equal(one.positions_BN3, again.positions_BN3)
    assert not torch.equal(one.positions_BN3, other_seed.positions_BN3)


@torch.no_grad()
def test_a_network_that_never_saw_its_own_prediction_is_not_given_one(cell, monkeypatch):
    mask_BN = random_atoms((5, 9, 7)).mask_BN
    seen, forward = [], cell.network.forward

    def spy(atoms, time_B, previous):
        seen.append(previous)
        return forward(atoms, time_B, previous)

    monkeypatch.setattr(cell.network, "forward", spy)
    for condition_on_itself in (False, True):
        cell.process.sample(
            cell.network, mask_BN, torch.arange(3), 0, lambda fraction: None, condition_on_itself
        )

    steps = cell.process.steps
    assert all(previous is None for previous in seen[:steps])
    assert [previous is None for previous in seen[steps:]] == [True] + [False] * (steps - 1)


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(cell):
    mask_BN = random_atoms((5, 9, 7)).mask_BN
    ids = torch.tensor([11, 12, 13])

    together = cell.process.sample(cell.network, mask_BN, ids, 0, lambda fraction: None)
    alone = cell.process.sample(cell.network, mask_BN[1:2], ids[1:2], 0, lambda fraction: None)

    torch.testing.assert_close(
        alone.positions_BN3, together.positions_BN3[1:2], atol=5e-3, rtol=1e-3
    )


@torch.no_grad()
def test_the_checkpoint_round_trips_bit_exactly(cell, tmp_path):
    save_file(cell.network.state_dict(), tmp_path / "model.safetensors")
    twin = copy.deepcopy(cell)
    for parameter in twin.network.parameters():
        parameter.zero_()
    twin.network.load_state_dict(load_file(tmp_path / "model.safetensors"))
    atoms = random_atoms()

    for a, b in zip(outputs(cell(atoms)), outputs(twin(atoms)), strict=True):
        assert torch.equal(a, b)


@torch.no_grad()
def test_bf16_stays_close_to_fp32(cell):
    atoms = random_atoms((5, 9, 7))
    exact = cell(atoms)

    with torch.autocast("cpu", torch.bfloat16):
        rough = cell(atoms)

    for a, b in zip(outputs(rough), outputs(exact), strict=True):
        mask = atoms.mask_BN
        assert (a[mask] - b[mask]).abs().max() < 0.05 * b[mask].abs().max() + 0.05


@torch.no_grad()
def test_self_conditioning_is_used(cell):
    atoms = random_atoms((5, 9, 7))

    plain, conditioned = cell(atoms), cell(atoms, previous_for(cell, atoms))

    assert not torch.allclose(plain.positions_BN3, conditioned.positions_BN3)


def test_every_step_of_training_draws_anew_and_every_replay_alike(cell):
    clean = random_atoms((6, 6))

    first, replay, next_step = cell.point(clean, 0), cell.point(clean, 0), cell.point(clean, 1)

    assert torch.equal(first.atoms.positions_BN3, replay.atoms.positions_BN3)
    assert not torch.equal(first.atoms.positions_BN3, next_step.atoms.positions_BN3)
