"""Many strings as one UTF-8 buffer with offsets: what a memory-mapped set keeps names in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import offsets_of, rows_of


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """M strings; string k is `buffer[offsets[k]:offsets[k + 1]]`."""

    buffer: NDArray[np.uint8]
    """(bytes,) UTF-8."""
    offsets: NDArray[np.int64]
    """(M + 1,)."""

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Pack strings, in their order."""
        encoded = [one.encode() for one in strings]
        counts = np.array([len(one) for one in encoded], np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets_of(counts))

    def __len__(self) -> int:
        """Return M."""
        return len(self.offsets) - 1

    def __getitem__(self, k: int) -> str:  # type: ignore[override]  # a slice is `select`
        """Return string k."""
        if not -len(self) <= k < len(self):
            raise IndexError(k)
        k %= len(self)
        return self.buffer[self.offsets[k] : self.offsets[k + 1]].tobytes().decode()

    def select(self, chosen: NDArray[np.integer]) -> Self:
        """Return the strings at `chosen`, in that order."""
        counts = np.diff(self.offsets)
        rows = rows_of(counts, np.asarray(chosen, np.int64))
        return type(self)(self.buffer[rows], offsets_of(counts[chosen]))
