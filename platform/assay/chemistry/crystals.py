"""Many crystals in four arrays: the form in which Assay stores, samples and scores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import offsets_of, rows_of


@dataclass(frozen=True)
class Crystals:
    """M unit cells, packed without padding; crystal k owns rows `offsets[k]:offsets[k + 1]`."""

    frac_coords: NDArray[np.float32]
    """(ΣN, 3), fractions of the cell's vectors, in [0, 1)."""
    numbers: NDArray[np.uint8]
    """(ΣN,) atomic numbers."""
    n_atoms: NDArray[np.int64]
    """(M,) of the cell."""
    lattices: NDArray[np.float32]
    """(M, 3, 3), Å; the rows are a, b, c, so that Cartesian = fractional @ lattice."""

    def __len__(self) -> int:
        """Return M."""
        return len(self.n_atoms)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(M + 1,) first row of each crystal, and the end."""
        return offsets_of(self.n_atoms)

    @property
    def owner(self) -> NDArray[np.int64]:
        """(ΣN,) index of the crystal that each row belongs to."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    @property
    def positions(self) -> NDArray[np.float32]:
        """(ΣN, 3) Cartesian coordinates in Å, of the atoms in the cell itself."""
        return np.einsum("ni,nij->nj", self.frac_coords, self.lattices[self.owner])

    @property
    def volumes(self) -> NDArray[np.float64]:
        """(M,) Å³; negative where the vectors are left-handed, 0 where they are coplanar."""
        return np.linalg.det(self.lattices.astype(np.float64))

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> Self:
        """Return the crystals at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        rows = rows_of(self.n_atoms, chosen)
        return type(self)(
            self.frac_coords[rows], self.numbers[rows], self.n_atoms[chosen], self.lattices[chosen]
        )
