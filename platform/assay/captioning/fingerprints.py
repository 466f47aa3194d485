"""Fingerprints of molecules by RDKit, packed to bits, and how alike they are.

Shapes: M molecules, Q of them that ask, P of a pool, W words of 64 bits.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from assay.captioning.graphs import parse
from assay.errors import DataError

BITS, RADIUS = 2048, 2
_ROWS = 4
"""Of queries at a time: their counts, as wide as the pool, stay in the processor's cache."""

Kind = Literal["morgan", "morgan_chiral", "morgan_count", "rdkit"]


@dataclass(frozen=True)
class Fingerprints:
    """Bits of M molecules."""

    words_MW: NDArray[np.uint64]
    ones_M: NDArray[np.uint16]
    """How many bits are set."""

    @classmethod
    def of(cls, smiles: Sequence[str], kind: Kind = "morgan") -> Self:
        """Return the fingerprints of molecules.

        Args:
            smiles: (M,)
            kind: Morgan of radius 2 and 2,048 bits (Rogers and Hahn, J. Chem. Inf. Model. 50
                (2010) 742), the same with chirality, with counts of each environment by RDKit's
                count simulation (at least 1, 2, 4 and 8), or RDKit's own of paths.

        Raises:
            DataError: SMILES do not parse.
        """
        generator = _GENERATORS[kind]()
        bits_MB = np.zeros((len(smiles), BITS), np.uint8)
        for row, text in enumerate(smiles):
            molecule = parse(text)
            if molecule is None:
                raise DataError(f"{text[:40]!r}, molecule {row + 1}: does not parse; correct it")
            bits_MB[row] = generator.GetFingerprintAsNumPy(molecule)
        return cls.of_bits(bits_MB)

    @classmethod
    def of_bits(cls, bits_MB: NDArray[np.uint8]) -> Self:
        """Return fingerprints of 0 and 1, whose number is a multiple of 64."""
        words_MW = np.packbits(bits_MB, axis=1).view(np.uint64)
        return cls(words_MW, bits_MB.sum(axis=1, dtype=np.uint16))

    def __len__(self) -> int:
        """Return M."""
        return len(self.ones_M)

    def __getitem__(self, rows: slice) -> Self:
        """Return those of some molecules."""
        return replace(self, words_MW=self.words_MW[rows], ones_M=self.ones_M[rows])


def tanimoto(queries: Fingerprints, pool: Fingerprints) -> NDArray[np.float32]:
    """Return (Q, P): the bits that two molecules share, over those that either has.

    Two without a bit are alike to 0. Equal fractions are equal floats, so that ties are exact.
    """
    words_WP = np.ascontiguousarray(pool.words_MW.T)

    def rows(start: int) -> NDArray[np.float32]:
        asked = queries[start : start + _ROWS]
        shared = np.zeros((len(asked), len(pool)), np.uint16)
        for word, words_P in enumerate(words_WP):
            shared += np.bitwise_count(asked.words_MW[:, word, None] & words_P)
        either = asked.ones_M[:, None] + pool.ones_M - shared
        return np.divide(shared, np.maximum(either, 1), dtype=np.float32)

    starts = range(0, len(queries), _ROWS)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        found = list(threads.map(rows, starts))
    return np.concatenate(found) if found else np.zeros((0, len(pool)), np.float32)


def _morgan(**settings: bool) -> Any:
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    return GetMorganGenerator(radius=RADIUS, fpSize=BITS, **settings)


def _rdkit() -> Any:
    from rdkit.Chem.rdFingerprintGenerator import GetRDKitFPGenerator

    return GetRDKitFPGenerator(fpSize=BITS)


_GENERATORS: Mapping[Kind, Callable[[], Any]] = {
    "morgan": _morgan,
    "morgan_chiral": lambda: _morgan(includeChirality=True),
    "morgan_count": lambda: _morgan(countSimulation=True),
    "rdkit": _rdkit,
}
