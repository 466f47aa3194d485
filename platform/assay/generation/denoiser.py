"""The contract between the two axes: a point of a path goes in, the clean system comes out.

Shapes: B systems (molecules or crystals), N atoms (padded), K atom types, C conditions. Positions
of molecules are in units of the task's `coordinate_unit_angstrom` and have zero mean over the atoms
of each; those of crystals are fractions of the cell's vectors, in [0, 1).
"""

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from assay.config import SizedSettings
from assay.generation.space import Space

Head = Literal["noise"]


@dataclass(frozen=True)
class Atoms:
    """Systems at some point of a path; padding is 0 everywhere."""

    positions_BN3: Tensor
    types_BN: Tensor
    """int64 class of each atom."""
    mask_BN: Tensor
    """bool: True for atoms, False for padding."""
    cell_B6: Tensor | None = None
    """Of crystals: the standardised cell, see `assay.generation.space.CrystalSpace`."""

    def joined(self, other: Self) -> Self:
        """Return the systems of both, one after the other."""
        return type(self)(
            torch.cat([self.positions_BN3, other.positions_BN3]),
            torch.cat([self.types_BN, other.types_BN]),
            torch.cat([self.mask_BN, other.mask_BN]),
            joined(self.cell_B6, other.cell_B6),
        )

    def first(self, count: int) -> Self:
        """Return the first `count` systems."""
        found = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return replace(self, **{k: v[:count] for k, v in found.items() if isinstance(v, Tensor)})

    def to(self, device: torch.device) -> Self:
        """Return them on `device`."""
        found = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        tensors = {k: v.to(device) for k, v in found.items() if isinstance(v, Tensor)}
        return replace(self, **tensors)

    def moved(self, positions_BN3: Tensor) -> Self:
        """Return the same atoms elsewhere, mean-free and with clean padding."""
        return replace(self, positions_BN3=mean_free(positions_BN3, self.mask_BN))


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says of the clean system."""

    positions_BN3: Tensor
    type_logits_BNK: Tensor
    noise_BN3: Tensor | None = None
    """Of the interpolant's latent noise, where the process asks for this head."""
    cell_B6: Tensor | None = None
    """Of crystals."""
    cell_noise_B6: Tensor | None = None
    """Of the latent noise of the cell, where the process asks for this head."""
    way_BN3: Tensor | None = None
    """Of crystals: the mean way from the atoms that were seen to the clean ones, not wrapped and
    without the drift of the whole. On a torus the two ends alone do not tell it."""

    def detach(self) -> Self:
        """Return the prediction without its graph, to condition on."""
        found = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return replace(self, **{k: v.detach() for k, v in found.items() if v is not None})


@dataclass(frozen=True)
class Conditions:
    """What a sample is asked to be: C numbers of each system, of which some may be left open."""

    values_BC: Tensor
    """Of unit variance over the training set, or counts."""
    known_BC: Tensor
    """bool: False where nothing is asked for; the value is then of no effect."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.values_BC)

    def at(self, chosen: Tensor) -> Self:
        """Return those of the systems at `chosen`."""
        return type(self)(self.values_BC[chosen], self.known_BC[chosen])

    def to(self, device: torch.device) -> Self:
        """Return them on `device`."""
        return type(self)(self.values_BC.to(device), self.known_BC.to(device))

    def repeated(self, times: int) -> Self:
        """Return them for the same systems, `times` times one after the other."""
        return type(self)(self.values_BC.repeat(times, 1), self.known_BC.repeat(times, 1))

    def dropped(self, kept_B: Tensor) -> Self:
        """Return them with everything left open where `kept_B` (B,) is False."""
        return replace(self, known_BC=self.known_BC & kept_B.unsqueeze(-1))


@dataclass(frozen=True)
class Interface:
    """What every network of a cell takes and gives: the data and the process decide it."""

    space: Space
    heads: tuple[Head, ...] = ()
    """Beyond the clean system."""
    n_conditions: int = 0
    """C."""


class Denoiser(nn.Module, ABC):
    """An architecture. Its output for a system never depends on padding or on the batch."""

    Settings: ClassVar[type[SizedSettings]]
    equivariant: ClassVar[bool]
    """E(3)-equivariant by construction; others are trained on random rotations."""

    @abstractmethod
    def __init__(self, settings: SizedSettings, interface: Interface) -> None:
        """Build the network for the types, heads and conditions of its cell."""
        super().__init__()
        self.space = copy.deepcopy(interface.space)  # moves with the network

    @abstractmethod
    def forward(
        self,
        atoms: Atoms,
        time_B: Tensor,
        previous: Prediction | None,
        conditions: Conditions | None = None,
    ) -> Prediction:
        """Return the raw outputs; the process turns positions and cells into the clean ones.

        Args:
            atoms: A point of the path.
            time_B: (B,) in [0, 1]; 0 is noise, 1 is data.
            previous: An earlier prediction to condition on (self-conditioning: Chen, Zhang and
                Hinton, "Analog bits", ICLR 2023), or None.
            conditions: What is asked for; None leaves everything open.
        """


Network = Callable[[Atoms, Tensor, Prediction | None], Prediction]
"""A denoiser as a process sees it: what is asked for is settled already."""


def joined(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Return both, one after the other, where there are both."""
    return None if one is None or other is None else torch.cat([one, other])


def mean_free(vectors_BN3: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the vectors with zero mean over the atoms of each molecule, padding 0."""
    mask_BN1 = mask_BN.unsqueeze(-1).to(vectors_BN3.dtype)
    mean_B13 = (vectors_BN3 * mask_BN1).sum(1, keepdim=True) / mask_BN1.sum(1, keepdim=True)
    return (vectors_BN3 - mean_B13) * mask_BN1
