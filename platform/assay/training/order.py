"""Which records make up the batch of a step: a pure function of (seed, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError
from assay.task import Batch, Records
from assay.training.draws import fold

_POOL = 32
"""Batches that are sorted by size together: large enough to save padding, small enough to mix."""


WINDOW = 4
"""Blocks whose records are shuffled together, and so are in memory together."""


@runtime_checkable
class BlockRecords(Records, Protocol):
    """Records that lie in blocks, few of which are in memory at a time."""

    @property
    def blocks(self) -> NDArray[np.int64]:
        """(S,) records of each block; block 0 holds the first indices, and so on."""
        ...

    def follow(self, upcoming: Iterator[int]) -> None:
        """Hear in which sequence blocks will be needed, so that they can be read ahead."""
        ...


class MixedRecords:
    """Several splits in turn: a batch is of one of them, the next batch of the next.

    Indices of the first come first, then those of the second, and so on.
    """

    def __init__(self, parts: Sequence[Records]) -> None:
        self.parts = tuple(parts)
        self.ends = np.cumsum([len(part) for part in parts])

    @property
    def lengths(self) -> NDArray[np.integer] | None:
        """(len,) of all; None if a part has none."""
        found = [part.lengths for part in self.parts]
        known = [lengths for lengths in found if lengths is not None]
        return np.concatenate(known) if len(known) == len(found) else None

    def __len__(self) -> int:
        """Return the number of all records."""
        return int(self.ends[-1])

    def batch(self, indices: NDArray[np.integer]) -> Batch:
        """Return the records at `indices`, which are of one part."""
        which = int(np.searchsorted(self.ends, indices[0], side="right"))
        return self.parts[which].batch(indices - (self.ends[which] - len(self.parts[which])))


@dataclass
class MixedOrder:
    """The orders of several splits, a step of each in turn."""

    parts: Sequence["BatchOrder | BlockOrder"]
    begins: Sequence[int]
    """The first index of each part."""

    @property
    def batches_per_epoch(self) -> int:
        """Steps in which the largest part is seen once."""
        return max(part.batches_per_epoch for part in self.parts) * len(self.parts)

    def indices(self, step: int) -> NDArray[np.int64]:
        """Return (batch_size,) indices of the records of step `step`, counted from 0."""
        turn, which = divmod(step, len(self.parts))
        return self.parts[which].indices(turn) + self.begins[which]


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
        _require_a_batch(self.n, self.batch_size)

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
        return _pooled(order, self.batch_size, self.lengths, random)


@dataclass
class BlockOrder:
    """Epochs over records in blocks, of which `WINDOW` are visited at a time.

    The blocks are shuffled and cut into windows. The records of a window are shuffled together
    and made into batches as in `BatchOrder`; the batch that crosses from one window to the next
    takes what is left of the one and the first of the other. So every record is seen once an
    epoch but for an incomplete last batch, and any step can be asked for: only the windows that
    it touches are worked out.

    Raises:
        ConfigError: fewer records than one batch.
    """

    blocks: NDArray[np.int64]
    """(S,) records of each block."""
    batch_size: int
    seed: int
    lengths: NDArray[np.integer] | None = None
    _epoch: int = field(default=-1, init=False)
    _sequence: NDArray[np.int64] = field(init=False, repr=False)
    _ends: NDArray[np.int64] = field(init=False, repr=False)
    _windows: dict[tuple[int, int], NDArray[np.int64]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.n = int(self.blocks.sum())
        self._first = np.cumsum(self.blocks) - self.blocks
        _require_a_batch(self.n, self.batch_size)

    @property
    def batches_per_epoch(self) -> int:
        """Full batches in one pass over the records."""
        return self.n // self.batch_size

    def indices(self, step: int) -> NDArray[np.int64]:
        """Return (batch_size,) indices of the records of step `step`, counted from 0."""
        epoch, batch = divmod(step, self.batches_per_epoch)
        self._enter(epoch)
        begin, end = batch * self.batch_size, (batch + 1) * self.batch_size
        touched = range(self._window_at(begin), self._window_at(end - 1) + 1)
        parts = []
        for window in touched:
            start = self._ends[window] - len(records := self._window(epoch, window))
            parts.append(records[max(begin - start, 0) : end - start])
        self._windows = {(epoch, window): self._windows[epoch, window] for window in touched}
        return np.concatenate(parts)

    def blocks_from(self, step: int) -> Iterator[int]:
        """Yield the blocks in the sequence in which steps from `step` on need them, without end."""
        epoch, batch = divmod(step, self.batches_per_epoch)
        self._enter(epoch)
        first = self._window_at(batch * self.batch_size) * WINDOW
        while True:
            yield from self._shuffled_blocks(epoch)[first:].tolist()
            epoch, first = epoch + 1, 0

    def _enter(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._sequence = self._shuffled_blocks(epoch)
            ends = np.cumsum(self.blocks[self._sequence])
            last = np.minimum(np.arange(WINDOW, len(ends) + WINDOW, WINDOW), len(ends)) - 1
            self._epoch, self._ends = epoch, ends[last]

    def _window_at(self, position: int) -> int:
        return int(np.searchsorted(self._ends, position, side="right"))

    def _shuffled_blocks(self, epoch: int) -> NDArray[np.int64]:
        random = np.random.Generator(np.random.Philox(key=fold(self.seed, "blocks", epoch)))
        return random.permutation(len(self.blocks))

    def _window(self, epoch: int, window: int) -> NDArray[np.int64]:
        """Return the records of a window in the order of training."""
        if (epoch, window) not in self._windows:
            key = fold(self.seed, "window", epoch, window)
            random = np.random.Generator(np.random.Philox(key=key))
            chosen = self._sequence[window * WINDOW : (window + 1) * WINDOW].tolist()
            ranges = [self._first[k] + np.arange(int(self.blocks[k])) for k in chosen]
            records = random.permutation(np.concatenate(ranges))
            # What completes the batch that the window before began, then whole batches.
            begin = min(-int(self._ends[window] - len(records)) % self.batch_size, len(records))
            end = len(records) - (len(records) - begin) % self.batch_size
            batches = _pooled(records[begin:end], self.batch_size, self.lengths, random)
            self._windows[epoch, window] = np.concatenate(
                [records[:begin], batches.reshape(-1), records[end:]]
            )
        return self._windows[epoch, window]


Order = BatchOrder | BlockOrder | MixedOrder


def order_of(records: Records, batch_size: int, seed: int) -> Order:
    """Return the order in which a split is trained on.

    Raises:
        ConfigError: fewer records than one batch.
    """
    if isinstance(records, MixedRecords):
        parts = [_order_of_one(part, batch_size, seed) for part in records.parts]
        return MixedOrder(parts, (records.ends - [len(part) for part in records.parts]).tolist())
    return _order_of_one(records, batch_size, seed)


def _order_of_one(records: Records, batch_size: int, seed: int) -> BatchOrder | BlockOrder:
    if isinstance(records, BlockRecords):
        return BlockOrder(records.blocks, batch_size, seed, records.lengths)
    return BatchOrder(len(records), batch_size, seed, records.lengths)


def read_ahead(records: Records, order: Order, step: int) -> None:
    """Tell records that lie in blocks which will be needed from `step` on."""
    if isinstance(order, BlockOrder) and isinstance(records, BlockRecords):
        records.follow(order.blocks_from(step))


def _pooled(
    order: NDArray[np.int64],
    batch_size: int,
    lengths: NDArray[np.integer] | None,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Return (batches, batch_size): like sizes together within a pool, the batches shuffled."""
    if lengths is not None:
        pool = np.arange(len(order)) // (_POOL * batch_size)
        order = order[np.lexsort((lengths[order], pool))]
    return random.permutation(order.reshape(-1, batch_size), axis=0)


def _require_a_batch(n: int, batch_size: int) -> None:
    if n < batch_size:
        raise ConfigError(f"training.batch_size: {batch_size} exceeds the {n} training records")
