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
    order = np.argsort(n_atoms_M, kind="stable")
    batches = np.array_split(order, -(-len(n_atoms_M) // SAMPLING_BATCH))

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
