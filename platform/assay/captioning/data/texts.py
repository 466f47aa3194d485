"""Texts of any length as two arrays that can be memory-mapped: UTF-8 bytes, one text after another.

Shapes: T texts, ΣL their bytes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.packing import offsets_of


def pack_texts(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes (ΣL,) and where each text begins (T + 1,), with the end."""
    encoded = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in encoded], np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), offsets_of(lengths)


class Texts:
    """T packed texts; one is decoded when it is asked for."""

    def __init__(self, content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Read what `pack_texts` returned."""
        self._content, self._offsets = content, offsets

    def __len__(self) -> int:
        """Return T."""
        return len(self._offsets) - 1

    def __getitem__(self, place: int) -> str:
        """Return the text at a place."""
        return bytes(self._content[self._offsets[place] : self._offsets[place + 1]]).decode()

    def at(self, places: NDArray[np.integer]) -> list[str]:
        """Return the texts at places (B,), in that order."""
        return [self[int(place)] for place in places]
