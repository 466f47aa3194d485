"""The contract between the two axes: a point of a path goes in, the clean molecule comes out.

Shapes: B molecules, N atoms (padded), K atom types. Positions are in units of the task's
`coordinate_unit_angstrom` and have zero mean over the atoms of each molecule.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from assay.config import SizedSettings

Head = Literal["noise"]


@dataclass(frozen=True)
class Atoms:
    """Molecules at some point of a path; padding is 0 everywhere."""

    positions_BN3: Tensor
    types_BN: Tensor
    """int64 class of each atom."""
    mask_BN: Tensor
    """bool: True for atoms, False for padding."""

    def joined(self, other: Self) -> Self:
        """Return the molecules of both, one after the other."""
        return type(self)(
            torch.cat([self.positions_BN3, other.positions_BN3]),
            torch.cat([self.types_BN, other.types_BN]),
            torch.cat([self.mask_BN, other.mask_BN]),
        )

    def moved(self, positions_BN3: Tensor) -> Self:
        """Return the same atoms elsewhere, mean-free and with clean padding."""
        return replace(self, positions_BN3=mean_free(positions_BN3, self.mask_BN))


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says of the clean molecule."""

    positions_BN3: Tensor
    type_logits_BNK: Tensor
    noise_BN3: Tensor | None = None
    """Of the interpolant's latent noise, where the process asks for this head."""

    def detach(self) -> Self:
        """Return the prediction without its graph, to condition on."""
        noise_BN3 = None if self.noise_BN3 is None else self.noise_BN3.detach()
        return type(self)(self.positions_BN3.detach(), self.type_logits_BNK.detach(), noise_BN3)


class Denoiser(nn.Module, ABC):
    """An architecture. Its output for a molecule never depends on padding or on the batch."""

    Settings: ClassVar[type[SizedSettings]]
    equivariant: ClassVar[bool]
    """E(3)-equivariant by construction; others are trained on random rotations."""

    @abstractmethod
    def __init__(self, settings: SizedSettings, n_types: int, heads: Sequence[Head]) -> None:
        """Build the network for K = `n_types` with the heads that the process declares."""
        super().__init__()

    @abstractmethod
    def forward(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        """Return the raw outputs; the process turns `positions_BN3` into the clean positions.

        Args:
            atoms: A point of the path.
            time_B: (B,) in [0, 1]; 0 is noise, 1 is data.
            previous: An earlier prediction to condition on (self-conditioning: Chen, Zhang and
                Hinton, "Analog bits", ICLR 2023), or None.
        """


def mean_free(vectors_BN3: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the vectors with zero mean over the atoms of each molecule, padding 0."""
    mask_BN1 = mask_BN.unsqueeze(-1).to(vectors_BN3.dtype)
    mean_B13 = (vectors_BN3 * mask_BN1).sum(1, keepdim=True) / mask_BN1.sum(1, keepdim=True)
    return (vectors_BN3 - mean_B13) * mask_BN1
