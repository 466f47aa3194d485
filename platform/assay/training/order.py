"""Which records make up the batch of a step: a pure function of (seed, step)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError
from assay.training.draws import fold

_POOL = 32
"""Batches that are sorted by size together: large enough to save padding, small enough to mix."""


@dataclass
class BatchOrder:
    """Epochs of shuffled batches of like sizes; an incomplete last batch is left out.

    Records are shuffled, cut into pools of `_POOL` batches, sorted by size within a pool, cut into
    batches, and the batches shuffled. Any step can be asked for, in any order.

    Raises:
        ConfigError: fewer records than one batch.
    """

    n: int
    batch_size: int
    seed: int
    lengths: NDArray[np.integer] | None = None
    _epoch: int = field(default=-1, init=False)
    _batches: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.n < self.batch_size:
            raise ConfigError(
                f"training.batch_size: {self.batch_size} exceeds the {self.n} training records"
            )

    @property
    def batches_per_epoch(self) -> int:
        """Full batches in one pass over the records."""
        return self.n // self.batch_size

    def indices(self, step: int) -> NDArray[np.int64]:
        """Return (batch_size,) indices of the records of step `step`, counted from 0."""
        epoch, batch = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._batches = self._shuffled(epoch)
            self._epoch = epoch
        return self._batches[batch]

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        random = np.random.Generator(np.random.Philox(key=fold(self.seed, "order", epoch)))
        order = random.permutation(self.n)[: self.batches_per_epoch * self.batch_size]
        if self.lengths is not None:
            pool = np.arange(len(order)) // (_POOL * self.batch_size)
            order = order[np.lexsort((self.lengths[order], pool))]
        return random.permutation(order.reshape(-1, self.batch_size), axis=0)
