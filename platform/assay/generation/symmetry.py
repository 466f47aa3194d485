"""How far a network is from symmetric: what it says of moved systems against what it said, moved.

Of molecules the moves are rotations; of crystals, whose standardised cell has no orientation,
translations of the whole. An architecture that is symmetric by construction is off by rounding
alone; another is as far off as its training on random moves has left it.

Shapes: B systems, N atoms (padded), K types.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from assay.generation.denoiser import Atoms, Conditions, Denoiser, mean_free
from assay.generation.metrics.protocol import mean_of
from assay.task import Estimate
from assay.training.draws import Draws

VERSION = "2"
SYSTEMS = 64
"""From all over the validation split, by which a trained cell is measured; version 1: its first."""


@dataclass(frozen=True)
class SymmetryError:
    """Of each system, the mean over moves; 0 where the network is symmetric."""

    positions_B: Tensor
    """‖f(Rx) - R f(x)‖ / ‖f(x)‖ of the displacements of all atoms, without their mean, which no
    process uses; of a translation, R leaves displacements as they are. About 1.3 to 1.4 for
    outputs that do not depend on the move at all."""
    types_B: Tensor
    """Total variation between the probabilities of an atom's type, the mean over atoms: 0 to 1."""


@torch.no_grad()
def symmetry_error(
    network: Denoiser,
    atoms: Atoms,
    time_B: Tensor,
    draws: Draws,
    conditions: Conditions | None = None,
    moves: int = 4,
) -> SymmetryError:
    """Measure a network at points of a path, without an earlier prediction.

    Args:
        network: Trained or not.
        atoms: Systems as the network sees them in training: noisy, at `time_B`.
        time_B: (B,) in [0, 1].
        draws: Of every system its own random moves; record ids (B,).
        conditions: What is asked for, if anything.
        moves: Random moves of each system.
    """
    still = network(atoms, time_B, None, conditions)
    steps_BN3 = mean_free(still.positions_BN3, atoms.mask_BN)
    types_BNK = still.type_logits_BNK.softmax(-1)
    positions_B, variation_B = torch.zeros_like(time_B), torch.zeros_like(time_B)
    for move in range(moves):
        moved, turn_B33 = _moved(atoms, draws, f"symmetry {move}")
        there = network(moved, time_B, None, conditions)
        off_BN3 = mean_free(there.positions_BN3, atoms.mask_BN) - steps_BN3 @ turn_B33
        positions_B += _norm(off_BN3) / _norm(steps_BN3).clamp(min=torch.finfo(torch.float32).tiny)
        apart_BN = (there.type_logits_BNK.softmax(-1) - types_BNK).abs().sum(-1) / 2
        variation_B += (apart_BN * atoms.mask_BN).sum(1) / atoms.mask_BN.sum(1)
    return SymmetryError(positions_B / moves, variation_B / moves)


def estimates(error: SymmetryError, seed: int) -> dict[str, Estimate]:
    """Return `symmetry/positions_error` and `symmetry/types_error`, means over systems."""
    parts = {"positions": error.positions_B, "types": error.types_B}
    return {
        f"symmetry/{name}_error": mean_of(values_B.double().cpu().numpy(), VERSION, "lower", seed)
        for name, values_B in parts.items()
    }


def _moved(atoms: Atoms, draws: Draws, name: str) -> tuple[Atoms, Tensor]:
    """Return the systems moved, and how that turns a displacement (B, 3, 3)."""
    if atoms.cell_B6 is None:
        turn_B33 = draws.rotation(name).to(atoms.positions_BN3)
        return replace(atoms, positions_BN3=atoms.positions_BN3 @ turn_B33), turn_B33
    shift_B13 = draws.uniform(name, 3).to(atoms.positions_BN3).unsqueeze(1)
    inside_BN3 = (atoms.positions_BN3 + shift_B13) % 1 * atoms.mask_BN.unsqueeze(-1)
    unturned_B33 = torch.eye(3).to(atoms.positions_BN3).expand(len(shift_B13), 3, 3)
    return replace(atoms, positions_BN3=inside_BN3), unturned_B33


def _norm(vectors_BN3: Tensor) -> Tensor:
    return vectors_BN3.float().square().sum((1, 2)).sqrt()
