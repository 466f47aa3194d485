"""The few shards that are in memory, and how the next ones come."""

import contextlib
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from assay.store.shards import Shard, ShardedSet
from assay.store.shards_place import Place

ReadAhead = Callable[[Place, Iterator[str], int], Iterator[bytes]]
"""`read_ahead(place, names, count)` yields the contents of the named files, in that order, `count`
at a time: while some are used, the next `count` are read."""

_read_ahead: ReadAhead | None = None


@contextlib.contextmanager
def reading_ahead(by: ReadAhead) -> Iterator[None]:
    """Let shards of this process be read ahead of training by `by`."""
    global _read_ahead
    before, _read_ahead = _read_ahead, by
    try:
        yield
    finally:
        _read_ahead = before


class ShardWindow:
    """At most `size` shards in memory, those used last.

    Any shard can be asked for at any time. With `follow`, shards of a known sequence are read
    ahead where `reading_ahead` says by what; the molecules do not depend on how they came.
    """

    def __init__(self, sharded: ShardedSet, size: int) -> None:
        self._set, self._size = sharded, size
        self._starts = np.concatenate([[0], np.cumsum(sharded.blocks)])
        self._resident: OrderedDict[int, Shard] = OrderedDict()
        self._coming: Iterator[bytes] | None = None
        self._upcoming: Iterator[int] = iter(())
        self._next: deque[int] = deque()

    @property
    def resident(self) -> tuple[int, ...]:
        """The numbers of the shards in memory, the least recently used first."""
        return tuple(self._resident)

    def follow(self, upcoming: Iterator[int]) -> None:
        """Say in which sequence the shards will be asked for."""
        self._coming = None
        if _read_ahead is None:
            return
        files = self._set.index.train
        numbers, self._upcoming = itertools.tee(upcoming)
        self._next.clear()
        names = (files[number].name for number in numbers)
        self._coming = _read_ahead(self._set.place, names, self._size)

    def parts(self, indices: NDArray[np.integer]) -> Iterator[tuple[Shard, NDArray, NDArray]]:
        """Yield (shard, rows of it, places in `indices`) for the training records `indices`.

        Shards come in the order in which `indices` first asks for them: a batch that crosses
        from one window to the next is done with the old shards before it asks for the new.
        """
        owners = np.searchsorted(self._starts, indices, side="right") - 1
        for number in dict.fromkeys(owners.tolist()):
            places = np.flatnonzero(owners == number)
            yield self._shard(number), indices[places] - self._starts[number], places

    def _shard(self, number: int) -> Shard:
        if number in self._resident:
            self._resident.move_to_end(number)
        elif not self._receive(number):
            self._keep(number, None)
        return self._resident[number]

    def _receive(self, number: int) -> bool:
        """Take what comes until shard `number` has come; False if it is not about to."""
        if self._coming is None:
            return False
        # One window may be left out half read, and the shard be the last of the next one.
        self._next.extend(itertools.islice(self._upcoming, 2 * self._size - len(self._next)))
        if number not in self._next:
            return False
        for content in self._coming:
            coming = self._next.popleft()
            self._keep(coming, content)
            if coming == number:
                return True
        self._coming = None  # whoever read ahead has ended
        return False

    def _keep(self, number: int, content: bytes | None) -> None:
        self._resident.pop(number, None)
        while len(self._resident) >= self._size:
            self._resident.popitem(last=False)
        self._resident[number] = self._set.shard(number, content)
