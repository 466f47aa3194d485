"""Where atoms are: in free space, or in the cell of a crystal.

Shapes: B systems, N atoms (padded), K types, F features of a pair.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from assay.chemistry import lattices

if TYPE_CHECKING:
    from assay.generation.denoiser import Atoms


class Space(nn.Module, ABC):
    """What a network must know of a space to see distances in it and to move atoms."""

    periodic: ClassVar[bool]
    pair_features: ClassVar[int] = 0
    """F: numbers that say more of a pair than its distance."""
    place_features: ClassVar[int]
    """P: numbers that say where an atom is, to a network that is not equivariant."""

    def __init__(self, n_types: int) -> None:
        super().__init__()
        self.n_types = n_types

    @abstractmethod
    def vectors(self, atoms: "Atoms") -> Tensor:
        """Return x_i - x_j as (B, N, N, 3), in the model's unit of length."""

    @abstractmethod
    def coordinates(self, steps_BN3: Tensor, atoms: "Atoms") -> Tensor:
        """Return displacements in the model's unit of length as those of `positions_BN3`."""

    @abstractmethod
    def place(self, atoms: "Atoms") -> Tensor:
        """Return (B, N, P), padding 0."""

    def pairs(self, atoms: "Atoms") -> Tensor | None:
        """Return features (B, N, N, F) of pairs beside their vectors, if there are any."""
        return None


class FreeSpace(Space):
    """Molecules: positions are Cartesian and mean-free."""

    periodic = False
    place_features = 3

    def vectors(self, atoms: "Atoms") -> Tensor:
        """Return the differences of positions."""
        return atoms.positions_BN3.unsqueeze(2) - atoms.positions_BN3.unsqueeze(1)

    def coordinates(self, steps_BN3: Tensor, atoms: "Atoms") -> Tensor:
        """Return them as they are."""
        return steps_BN3

    def place(self, atoms: "Atoms") -> Tensor:
        """Return the positions."""
        return atoms.positions_BN3


class CrystalSpace(Space):
    """Crystals: positions are fractions of the cell's vectors, in [0, 1).

    A cell is six numbers v of zero mean and unit variance over the training set: those of
    `assay.chemistry.lattices.lattice_to_vector`, of which the mean log length is taken of the
    volume *an atom*. Every v is a valid right-handed cell.
    """

    periodic = True
    waves: ClassVar[int] = 4
    """Of each axis: cosines and sines of whole numbers of turns tell images and symmetric places
    apart where the nearest image alone cannot (Jiao et al., "DiffCSP", NeurIPS 2023, eq. 8)."""
    pair_features = 6 * waves
    place_features = 6 * waves

    mean_6: Tensor
    scale_6: Tensor

    def __init__(
        self, n_types: int, mean: Sequence[float], scale: Sequence[float], unit_angstrom: float
    ) -> None:
        super().__init__(n_types)
        self.unit = unit_angstrom
        self.register_buffer("mean_6", torch.tensor(mean), persistent=False)
        self.register_buffer("scale_6", torch.tensor(scale), persistent=False)

    def cells(self, cell_B6: Tensor, n_atoms_B: Tensor) -> Tensor:
        """Return the lattices (B, 3, 3) in Å of standardised cells."""
        k_B6 = cell_B6 * self.scale_6 + self.mean_6
        return lattices.vector_to_lattice(k_B6 + _size(n_atoms_B, k_B6))

    def standardised(self, lattices_B33: Tensor, n_atoms_B: Tensor) -> Tensor:
        """Return (B, 6) the standardised cells of lattices in Å."""
        k_B6 = lattices.lattice_to_vector(lattices_B33)
        return (k_B6 - _size(n_atoms_B, k_B6) - self.mean_6) / self.scale_6

    def vectors(self, atoms: "Atoms") -> Tensor:
        """Return the differences of the nearest images."""
        return lattices.minimum_image_vectors(
            atoms.positions_BN3, self._lattices(atoms), atoms.mask_BN
        )

    def coordinates(self, steps_BN3: Tensor, atoms: "Atoms") -> Tensor:
        """Return displacements in fractions of the cell."""
        return torch.linalg.solve(self._lattices(atoms), steps_BN3.float(), left=False)

    def pairs(self, atoms: "Atoms") -> Tensor:
        """Return cosines and sines of 2π k (f_i - f_j) for k = 1 … `waves`, of each axis."""
        return self._waves(atoms.positions_BN3.unsqueeze(2) - atoms.positions_BN3.unsqueeze(1))

    def place(self, atoms: "Atoms") -> Tensor:
        """Return cosines and sines of 2π k f, which no lattice translation changes."""
        return self._waves(atoms.positions_BN3) * atoms.mask_BN.unsqueeze(-1)

    def _waves(self, fractions: Tensor) -> Tensor:
        turns = torch.arange(1, self.waves + 1, device=fractions.device) * (2 * torch.pi)
        angles = (fractions.unsqueeze(-1) * turns).flatten(-2)
        return torch.cat([angles.cos(), angles.sin()], dim=-1)

    def _lattices(self, atoms: "Atoms") -> Tensor:
        assert atoms.cell_B6 is not None, "a crystal has a cell"
        with torch.autocast(atoms.mask_BN.device.type, enabled=False):
            return self.cells(atoms.cell_B6.float(), atoms.mask_BN.sum(1)) / self.unit


class JointSpace(Space):
    """Molecules and crystals for one network, which tells them apart by their cells."""

    periodic = True
    pair_features = CrystalSpace.pair_features
    place_features = FreeSpace.place_features + CrystalSpace.place_features

    def __init__(self, crystals: CrystalSpace) -> None:
        super().__init__(crystals.n_types)
        self.crystals, self.free = crystals, FreeSpace(crystals.n_types)

    def vectors(self, atoms: "Atoms") -> Tensor:
        """Return those of the space that the atoms are in."""
        return self._of(atoms).vectors(atoms)

    def coordinates(self, steps_BN3: Tensor, atoms: "Atoms") -> Tensor:
        """Return those of the space that the atoms are in."""
        return self._of(atoms).coordinates(steps_BN3, atoms)

    def pairs(self, atoms: "Atoms") -> Tensor:
        """Return those of crystals; of molecules 0, which no wave is throughout."""
        if atoms.cell_B6 is not None:
            return self.crystals.pairs(atoms)
        B, N = atoms.mask_BN.shape
        return atoms.positions_BN3.new_zeros(B, N, N, self.pair_features)

    def place(self, atoms: "Atoms") -> Tensor:
        """Return the place in either space, 0 in the other."""
        place = self._of(atoms).place(atoms)
        other = place.new_zeros(*place.shape[:2], self.place_features - place.shape[2])
        found = (place, other) if atoms.cell_B6 is None else (other, place)
        return torch.cat(found, dim=-1)

    def _of(self, atoms: "Atoms") -> Space:
        return self.free if atoms.cell_B6 is None else self.crystals


def _size(n_atoms_B: Tensor, like_B6: Tensor) -> Tensor:
    """Return (B, 6) what the mean log length gains from the number of atoms: ⅓ ln N."""
    gain_B1 = n_atoms_B.to(like_B6).log().unsqueeze(-1) / 3
    return torch.cat([torch.zeros_like(like_B6[:, :5]), gain_B1], dim=-1)
