"""What every cell of the grid must satisfy: an architecture with a process, on molecules.

Shapes: B systems, N atoms (padded), K types.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from assay.conformance.checks import require
from assay.generation.denoiser import Atoms, Denoiser, Interface, Prediction, mean_free
from assay.generation.processes.process import GenerativeProcess, PathPoint
from assay.generation.space import FreeSpace
from assay.training.draws import Draws

TYPES = 5
PRIOR = torch.tensor([0.5, 0.3, 0.1, 0.08, 0.02])
STEPS = 8


def random_atoms(sizes: tuple[int, ...] = (5, 9, 7), pad: int = 0, seed: int = 0) -> Atoms:
    """Return molecules of the given sizes, padded to the largest and `pad` further."""
    generator = torch.Generator().manual_seed(seed)
    N = max(sizes) + pad
    mask_BN = torch.arange(N)[None, :] < torch.tensor(sizes)[:, None]
    positions = torch.zeros(len(sizes), N, 3)
    types = torch.zeros(len(sizes), N, dtype=torch.int64)
    for b, size in enumerate(sizes):
        positions[b, :size] = torch.randn(size, 3, generator=generator)
        types[b, :size] = torch.randint(TYPES, (size,), generator=generator)
    return Atoms(mean_free(positions, mask_BN), types, mask_BN)


def grid_molecules(count: int = 8, size: int = 6) -> Atoms:
    """Return equal molecules: the corners of a bent chain, one type at the ends and one inside."""
    k = torch.arange(size, dtype=torch.float32)
    chain = torch.stack([0.8 * k, 0.4 * (k % 2), 0.1 * k**2 / size], dim=-1)
    positions = chain.expand(count, size, 3).clone()
    types = torch.tensor([0] + [1] * (size - 2) + [2]).expand(count, size).clone()
    mask = torch.ones(count, size, dtype=torch.bool)
    return Atoms(mean_free(positions, mask), types, mask)


class GridCell:
    """A small network that has left its initialisation, and its process."""

    def __init__(
        self,
        network: type[Denoiser],
        process: type[GenerativeProcess],
        settings: Mapping[str, Any],
        steps: int = STEPS,
    ) -> None:
        """Build both.

        Args:
            network: The architecture.
            process: The process.
            settings: Of the network, such as a small width.
            steps: Of the sampler.
        """
        self.process = process(process.Settings(steps=steps), PRIOR)
        torch.manual_seed(0)
        interface = Interface(FreeSpace(TYPES), tuple(self.process.heads))
        self.network = network(network.Settings(**settings), interface)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter += 0.02 * torch.randn_like(parameter)

    def __call__(self, atoms: Atoms, previous: Prediction | None = None) -> Prediction:
        """Return what the network says of points at spread-out times."""
        time_B = torch.linspace(0.2, 0.9, len(atoms.mask_BN))
        return self.process.predict(self.network, atoms, time_B, previous)

    def point(self, clean: Atoms, step: int = 0) -> PathPoint:
        """Return the point of the path that a training step would look at."""
        return self.process.path(clean, Draws(0, step, torch.arange(len(clean.mask_BN))))

    def loss(self, point: PathPoint, conditioned: bool = False) -> Tensor:
        """Return the loss of a point; `conditioned` on the network's own prediction of it."""
        previous = None
        if conditioned:
            with torch.no_grad():
                previous = self.process.predict(self.network, point.atoms, point.time_B, None)
        prediction = self.process.predict(self.network, point.atoms, point.time_B, previous)
        parts = self.process.losses(prediction, point).values()
        return torch.stack([part.mean() for part in parts]).sum()

    def sample(
        self, mask_BN: Tensor, rows: list[int], seed: int = 0, on_itself: bool = True
    ) -> Atoms:
        """Return samples with the sizes of some rows of `mask_BN`."""
        ids = torch.arange(11, 11 + len(mask_BN))
        return self.process.sample(
            self.network, mask_BN[rows], ids[rows], seed, lambda fraction: None, on_itself
        )


@torch.no_grad()
def permuting_atoms_permutes_the_prediction(cell: GridCell) -> None:
    """There is no order of atoms to encode."""
    atoms = random_atoms((7, 7))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    permuted = Atoms(atoms.positions_BN3[:, order], atoms.types_BN[:, order], atoms.mask_BN)
    there, here = cell(permuted, cell(permuted)), cell(atoms, cell(atoms))
    for a, b in _heads(there, here):
        _require_close(a, b[:, order], "a permutation of the atoms changes the prediction")


@torch.no_grad()
def padding_never_leaks(cell: GridCell) -> None:
    """What stands behind a molecule in its row is nothing."""
    tight, padded = random_atoms((5, 9, 7)), random_atoms((5, 9, 7), pad=6)
    here, there = cell(tight, cell(tight)), cell(padded, cell(padded))
    mask = tight.mask_BN
    for a, b in _heads(here, there):
        _require_close(b[:, : mask.shape[1]][mask], a[mask], "padding changes the prediction")
    off = there.positions_BN3[~padded.mask_BN].abs().max()
    require(off == 0, f"padding has positions up to {off:.1e}, not 0")


@torch.no_grad()
def a_molecule_does_not_depend_on_its_batch(cell: GridCell) -> None:
    """Batch mates are strangers."""
    atoms, time_B = random_atoms((5, 9, 7)), torch.tensor([0.3, 0.6, 0.8])
    alone = Atoms(atoms.positions_BN3[1:2], atoms.types_BN[1:2], atoms.mask_BN[1:2])
    together = cell.process.predict(cell.network, atoms, time_B, None)
    single = cell.process.predict(cell.network, alone, time_B[1:2], None)
    for a, b in _heads(together, single):
        _require_close(a[1:2], b, "a molecule alone is seen otherwise than among others")


@torch.no_grad()
def symmetry_is_what_the_architecture_declares(cell: GridCell) -> None:
    """`equivariant` is neither claimed nor hidden."""
    atoms = random_atoms((8, 8, 8))
    rotation = Draws(0, 0, torch.arange(1)).rotation("r")[0]
    previous = cell(atoms)
    plain = cell(atoms, previous)
    for transform in (rotation, -rotation):
        turned = Atoms(atoms.positions_BN3 @ transform, atoms.types_BN, atoms.mask_BN)
        before = Prediction(previous.positions_BN3 @ transform, previous.type_logits_BNK)
        off = _turned_off(cell(turned, before), plain, transform)
        if cell.network.equivariant:
            require(off < 1e-4, f"declared equivariant, and off by {off:.1e} when turned")
        else:  # it is trained on random rotations instead
            require(off > 1e-4, "declared not equivariant, and it is: rotations would be wasted")


@torch.no_grad()
def predictions_are_mean_free(cell: GridCell) -> None:
    """A molecule has no place."""
    off = cell(random_atoms((5, 9, 7))).positions_BN3.sum(1).abs().max()
    require(off < 1e-4, f"predicted positions have a mean, off by {off:.1e}")


def gradient_reaches_every_parameter(cell: GridCell) -> None:
    """What is there is trained."""
    cell.loss(cell.point(random_atoms((5, 9, 7))), conditioned=True).backward()
    silent = [
        name
        for name, parameter in cell.network.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() == 0
    ]
    require(not silent, f"no gradient reaches {', '.join(silent[:3])}")


def the_loss_falls_on_one_batch(cell: GridCell) -> None:
    """It learns a batch by heart."""
    point = cell.point(grid_molecules())
    optimizer = torch.optim.AdamW(cell.network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = cell.loss(point)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    require(
        losses[-1] < 0.6 * losses[0],
        f"after 60 steps on one batch the loss is {losses[-1]:.3g}, at first {losses[0]:.3g}",
    )


@torch.no_grad()
def the_sampler_is_finite_mean_free_and_reproducible(cell: GridCell) -> None:
    """Samples are molecules, and a seed makes them again."""
    mask_BN = random_atoms((5, 9, 7), pad=2).mask_BN
    one, again = cell.sample(mask_BN, [0, 1, 2]), cell.sample(mask_BN, [0, 1, 2])
    other = cell.sample(mask_BN, [0, 1, 2], seed=1)
    require(torch.isfinite(one.positions_BN3).all(), "a sampled position is not finite")
    require(one.positions_BN3.sum(1).abs().max() < 1e-3, "samples have a mean")
    require(one.positions_BN3[~mask_BN].abs().max() == 0, "padding of samples has positions")
    known = (one.types_BN >= 0) & (one.types_BN < TYPES)
    require(known.all(), "a sampled type is none of the vocabulary")
    require(torch.equal(one.positions_BN3, again.positions_BN3), "one seed gives other samples")
    changed = not torch.equal(one.positions_BN3, other.positions_BN3)
    require(changed, "another seed gives the same samples")


@torch.no_grad()
def a_network_that_never_saw_its_own_prediction_is_not_given_one(cell: GridCell) -> None:
    """Self-conditioning in sampling is that of training."""
    mask_BN = random_atoms((5, 9, 7)).mask_BN
    seen: list[bool] = []
    network = cell.network

    def spy(atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        seen.append(previous is not None)
        return network(atoms, time_B, previous)

    for on_itself in (False, True):
        ids = torch.arange(3)
        cell.process.sample(spy, mask_BN, ids, 0, lambda fraction: None, on_itself)
    half = len(seen) // 2
    require(not any(seen[:half]), "a network that is not to see its own predictions is given one")
    require(all(seen[half + 1 :]) and not seen[half], "from the second look on it sees its own")


@torch.no_grad()
def a_sample_does_not_depend_on_its_batch(cell: GridCell) -> None:
    """Nor do samples."""
    mask_BN = random_atoms((5, 9, 7)).mask_BN
    together, alone = cell.sample(mask_BN, [0, 1, 2]), cell.sample(mask_BN, [1])
    _require_close(
        alone.positions_BN3, together.positions_BN3[1:2],
        "a sample alone is another than among others", absolute=5e-3, relative=1e-3,
    )  # fmt: skip


@torch.no_grad()
def weights_are_all_that_there_is_to_a_network(cell: GridCell) -> None:
    """What a checkpoint keeps makes the same network, bit for bit."""
    twin, atoms = copy.deepcopy(cell), random_atoms()
    for parameter in twin.network.parameters():
        parameter.zero_()
    twin.network.load_state_dict(copy.deepcopy(cell.network.state_dict()))
    for a, b in _heads(cell(atoms), twin(atoms)):
        require(torch.equal(a, b), "the same weights give another prediction")


@torch.no_grad()
def bf16_stays_close_to_fp32(cell: GridCell) -> None:
    """Half the precision, not half the answer."""
    atoms = random_atoms((5, 9, 7))
    exact = cell(atoms)
    with torch.autocast("cpu", torch.bfloat16):
        rough = cell(atoms)
    for a, b in _heads(rough, exact):
        mask = atoms.mask_BN
        off, most = (a[mask] - b[mask]).abs().max(), 0.05 * b[mask].abs().max() + 0.05
        require(off < most, f"in bf16 a prediction is off by {off:.2g}")


@torch.no_grad()
def self_conditioning_is_used(cell: GridCell) -> None:
    """An earlier prediction tells the network something."""
    atoms = random_atoms((5, 9, 7))
    plain, conditioned = cell(atoms), cell(atoms, cell(atoms))
    same = torch.allclose(plain.positions_BN3, conditioned.positions_BN3)
    require(not same, "an earlier prediction changes nothing")


def every_step_of_training_draws_anew_and_every_replay_alike(cell: GridCell) -> None:
    """Draws are functions of seed, step and record."""
    clean = random_atoms((6, 6))
    first, replay, later = cell.point(clean, 0), cell.point(clean, 0), cell.point(clean, 1)
    here = first.atoms.positions_BN3
    require(torch.equal(here, replay.atoms.positions_BN3), "a replayed step draws otherwise")
    require(not torch.equal(here, later.atoms.positions_BN3), "the next step draws the same")


CHECKS = (
    permuting_atoms_permutes_the_prediction,
    padding_never_leaks,
    a_molecule_does_not_depend_on_its_batch,
    symmetry_is_what_the_architecture_declares,
    predictions_are_mean_free,
    gradient_reaches_every_parameter,
    the_loss_falls_on_one_batch,
    the_sampler_is_finite_mean_free_and_reproducible,
    a_network_that_never_saw_its_own_prediction_is_not_given_one,
    a_sample_does_not_depend_on_its_batch,
    weights_are_all_that_there_is_to_a_network,
    bf16_stays_close_to_fp32,
    self_conditioning_is_used,
    every_step_of_training_draws_anew_and_every_replay_alike,
)


def _heads(one: Prediction, other: Prediction) -> list[tuple[Tensor, Tensor]]:
    """Return what both say, head by head."""
    pairs = (
        (one.positions_BN3, other.positions_BN3),
        (one.type_logits_BNK, other.type_logits_BNK),
        (one.noise_BN3, other.noise_BN3),
    )
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _turned_off(turned: Prediction, plain: Prediction, transform: Tensor) -> float:
    """Return by how much a prediction of a turned molecule is not the turned prediction."""
    off = [
        turned.positions_BN3 - plain.positions_BN3 @ transform,
        turned.type_logits_BNK - plain.type_logits_BNK,
    ]
    if turned.noise_BN3 is not None and plain.noise_BN3 is not None:
        off.append(turned.noise_BN3 - plain.noise_BN3 @ transform)
    return max(float(each.abs().max()) for each in off)


def _require_close(
    one: Tensor, other: Tensor, otherwise: str, absolute: float = 2e-5, relative: float = 1e-4
) -> None:
    off = float((one - other).abs().max())
    close = torch.allclose(one, other, atol=absolute, rtol=relative)
    require(close, f"{otherwise}, by up to {off:.1e}")
