"""Many molecules in three arrays: the form in which Assay stores, samples and scores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import offsets_of, rows_of


@dataclass(frozen=True)
class Molecules:
    """M molecules, packed without padding; molecule k owns rows `offsets[k]:offsets[k + 1]`."""

    positions: NDArray[np.float32]
    """(ΣN, 3), Å."""
    numbers: NDArray[np.uint8]
    """(ΣN,) atomic numbers."""
    n_atoms: NDArray[np.int64]
    """(M,)."""

    def __len__(self) -> int:
        """Return M."""
        return len(self.n_atoms)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(M + 1,) first row of each molecule, and the end."""
        return offsets_of(self.n_atoms)

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> Self:
        """Return the molecules at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        rows = rows_of(self.n_atoms, chosen)
        return type(self)(self.positions[rows], self.numbers[rows], self.n_atoms[chosen])
