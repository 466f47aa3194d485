"""Samples of a trained denoiser: what is wanted, in batches of like sizes, back in one order.

Shapes: M samples, B of a batch, N atoms (padded).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.generation.conditioning import Asking
from assay.generation.denoiser import Conditions, Denoiser
from assay.generation.domain import Domain, Drawn
from assay.generation.processes.process import GenerativeProcess
from assay.task import Progress
from assay.training.side_by_side import Watch, side_by_side

SAMPLING_BATCH = 128
FEWEST = 32
"""Systems of a batch on the CPU, below which it takes in those of the next size, and pads."""


@dataclass(frozen=True)
class Wanted:
    """What samples are to be."""

    n_atoms_M: NDArray[np.int64]
    elements: Molecules | Crystals | None = None
    """M systems whose elements they are given."""
    conditions: Conditions | None = None
    guidance: float = 1.0


def draw(
    wanted: Wanted,
    denoiser: Denoiser,
    domain: Domain[Any],
    process: GenerativeProcess,
    seed: int,
    condition_on_itself: bool,
    progress: Progress,
) -> Molecules | Crystals:
    """Return M systems in Å, in the order in which they are wanted."""
    n_atoms_M, device = wanted.n_atoms_M, next(denoiser.parameters()).device
    # A GPU waits for kernels to start, rather than for padding to be computed.
    batches = batches_of(n_atoms_M, FEWEST if device.type == "cpu" else SAMPLING_BATCH)

    @torch.no_grad()
    def draw_batch(chosen: NDArray[np.int64], watch: Watch) -> Drawn:
        ids_B = torch.as_tensor(chosen, device=device)
        N = int(n_atoms_M[chosen].max())
        mask_BN = torch.arange(N)[None, :] < torch.as_tensor(n_atoms_M[chosen])[:, None]
        conditions, types_BN = wanted.conditions, None
        if wanted.elements is not None:
            types_BN = domain.types(wanted.elements.select(chosen)).to(device)
        atoms = process.sample(
            Asking(denoiser, conditions and conditions.at(ids_B), wanted.guidance),
            mask_BN.to(device),
            ids_B,
            seed,
            watch,
            condition_on_itself,
            types_BN,
        )
        return Drawn(chosen, atoms.to(torch.device("cpu")))

    pieces = [partial(draw_batch, chosen) for chosen in reversed(batches)]  # the longest first
    drawn = side_by_side(pieces, device, partial(progress, "sample"))
    return domain.samples(drawn, n_atoms_M)


def batches_of(n_atoms_M: NDArray[np.int64], fewest: int) -> list[NDArray[np.int64]]:
    """Return which systems are drawn together: of one size where there are enough, smallest first.

    Args:
        n_atoms_M: Sizes of all.
        fewest: Systems of a batch, at the least, but for the largest ones. With one there is no
            padding at all.
    """
    order = np.argsort(n_atoms_M, kind="stable")
    ends_of_a_size = np.flatnonzero(np.diff(n_atoms_M[order], append=-1)) + 1
    batches: list[NDArray[np.int64]] = []
    begun = 0
    for end in ends_of_a_size:
        if end - begun >= fewest or end == len(order):
            batches += np.array_split(order[begun:end], -(-(end - begun) // SAMPLING_BATCH))
            begun = end
    return batches
