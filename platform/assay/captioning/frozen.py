"""What frozen parts of a model make of records: computed once, and refused once they are others.

Rows are kept with a digest of the weights that made them; with other weights they are computed
anew. What the weights of a published model make is kept on disk, too, for the runs to come: what a
run's own weights make would serve no other run.

Records are computed in blocks that depend on their ids alone. Rounding depends on which records
share a batch, so that a resumed run would otherwise have other bits than an undisturbed one.

Shapes: B records, R of a split, C columns.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.config import digest16
from assay.store.kept import kept

_BLOCK = 64
"""Consecutive ids, whose records are computed together."""


class Weights:
    """Weights that something follows from, and whether they are still the same."""

    def __init__(self, tensors: Callable[[], Iterable[Tensor]]) -> None:
        """Remember how to come by the weights; they may not be there yet."""
        self._tensors = tensors
        self._seen: list[tuple[int, int]] = []
        self._digest = ""

    def digest(self) -> str:
        """Return 16 hex digits over the weights, hashed again only where one was written to."""
        tensors = [_local(each) for each in self._tensors()]
        seen = [(id(own), own._version) for own in self._tensors()]
        if seen != self._seen:
            made = hashlib.sha256()
            for each in tensors:
                made.update(f"{each.dtype} {tuple(each.shape)}".encode())
                made.update(
                    each.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data
                )
            self._seen, self._digest = seen, made.hexdigest()[:16]
        return self._digest


class FrozenRows:
    """A row for each record, made when one of its block is asked for, in main memory."""

    def __init__(
        self,
        ids_R: NDArray[np.integer],
        read: Callable[[NDArray[np.integer]], Any],
        compute: Callable[[Any], Tensor],
        weights: Weights,
        on_disk: str | None = None,
    ) -> None:
        """Keep nothing yet.

        Args:
            ids_R: The records' ids, in their order.
            read: Places among the records (n,) to a batch of `BridgeBatch`.
            compute: Such a batch to rows (n, C).
            weights: That decide the rows.
            on_disk: What rows are called that are kept on disk, too; None keeps none there.
        """
        self._ids_R, self._read, self._compute = ids_R, read, compute
        self._weights, self._on_disk = weights, on_disk
        self._made_by = ""
        self._rows: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """Return how many rows are kept."""
        return len(self._rows)

    def of(self, record_ids: Tensor) -> Tensor:
        """Return (B, C), without gradient."""
        made_by = self._weights.digest()
        if made_by != self._made_by:
            self._rows, self._made_by = {}, made_by
        wanted = record_ids.tolist()
        for block in sorted({i // _BLOCK for i in wanted if i not in self._rows}):
            places = np.flatnonzero(self._ids_R // _BLOCK == block)
            rows = self._block(self._read(places))
            self._rows |= zip(self._ids_R[places].tolist(), rows.unbind(), strict=True)
        return torch.stack([self._rows[i] for i in wanted])

    def _block(self, batch: Any) -> Tensor:
        def compute() -> Tensor:
            with torch.no_grad():
                return self._compute(batch).cpu()

        if self._on_disk is None:
            return compute()
        follows_from = {
            "weights": self._made_by,
            "tokens": [batch.tokens_BT.tolist(), batch.labels_BT.tolist()],
            "torch": torch.__version__,
        }
        return kept(self._on_disk, digest16(follows_from), compute)


def _local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that is here, where workers share it."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # pyright: ignore
