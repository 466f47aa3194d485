"""What frozen parts of a model make of a record: computed once, kept by record id.

Records are computed in blocks that depend on their ids alone. Rounding depends on which records
share a batch, so that a resumed run would otherwise have other bits than an undisturbed one.

Shapes: B records, R of a split, C columns.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK = 64
"""Consecutive ids, whose records are computed together."""


class FrozenRows:
    """A row for each record, made when one of its block is asked for, in main memory."""

    def __init__(
        self, ids_R: NDArray[np.integer], compute: Callable[[NDArray[np.integer]], Tensor]
    ) -> None:
        """Keep nothing yet.

        Args:
            ids_R: The records' ids, in their order.
            compute: Places among the records (n,) to rows (n, C).
        """
        self._ids_R, self._compute = ids_R, compute
        self._rows: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """Return how many rows are kept."""
        return len(self._rows)

    def of(self, record_ids: Tensor) -> Tensor:
        """Return (B, C), without gradient."""
        wanted = record_ids.tolist()
        for block in sorted({i // _BLOCK for i in wanted if i not in self._rows}):
            places = np.flatnonzero(self._ids_R // _BLOCK == block)
            with torch.no_grad():
                rows = self._compute(places).cpu()
            self._rows |= zip(self._ids_R[places].tolist(), rows.unbind(), strict=True)
        return torch.stack([self._rows[i] for i in wanted])
