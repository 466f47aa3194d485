"""What batches of molecules and of crystals have in common.

Shapes: B records, N atoms (padded to the largest of the batch).
"""

from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from assay.store.sets import Prepared

Batch = TypeVar("Batch")


def padded_rows(
    starts_B: NDArray[np.int64], n_atoms_B: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the rows (B, N) of the atoms of packed records, and the mask (B, N) of real ones.

    Padding names the record's own first atom, which the mask must then clear.
    """
    column_N = np.arange(n_atoms_B.max())
    mask_BN = column_N < n_atoms_B[:, None]
    return starts_B[:, None] + column_N * mask_BN, mask_BN


def moved(batch: Batch, device: torch.device) -> Batch:
    """Return a dataclass of tensors on `device`."""
    tensors = {field.name: getattr(batch, field.name) for field in fields(batch)}  # type: ignore[arg-type]
    return replace(
        batch,  # type: ignore[type-var]
        **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()},
    )


def size_histogram(data: Prepared) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers of atoms that occur in the training split, ascending, and their shares."""
    counts = np.bincount(data.train_lengths)
    sizes = np.flatnonzero(counts)
    return sizes, counts[sizes] / counts.sum()
