"""The captions that a model is shown beside a molecule: those of the most similar ones it knows.

Source: MolReGPT (Li et al., IEEE TKDE 2024, arXiv:2306.06615), whose prompts hold the captions of
the nearest training molecules by Morgan fingerprints and Tanimoto similarity.

A training record is not shown to itself: its molecule, in whatever record, and its very text are
left out of the search. Nothing is left out for records that are not trained on, which have no
molecule in common with the test split; whose text they have is not looked at.

Shapes: M records, P of the pool, N neighbours, B records of a batch, T tokens (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.data.captions import batches_of
from assay.captioning.fingerprints import Fingerprints, tanimoto
from assay.captioning.graphs import parse
from assay.captioning.retrieval import search
from assay.config import digest16
from assay.errors import ConfigError
from assay.store.kept import kept
from assay.task import Records

if TYPE_CHECKING:
    from assay.captioning.generator import Corpus

VERSION = 1
"""Of the search: what is cached was found by this one."""
_NOT_ASKED = -1.0
"""Less than any similarity."""


def neighbours(records: Records, corpus: "Corpus", count: int) -> NDArray[np.int64]:
    """Return (M, N): the places in the corpus of the nearest molecules, the nearest first.

    They are found once and kept in the cache, by the digest of all records and of the corpus.

    Args:
        records: Of `CaptionBatch`es.
        corpus: The pool, with the ids of its records.
        count: N.

    Raises:
        ConfigError: some record has fewer others in the pool.
    """
    found = [(batch.smiles, batch.captions, batch.record_ids) for batch in batches_of(records)]
    smiles = [one for part in found for one in part[0]]
    captions = [one for part in found for one in part[1]]
    ids = [int(one) for part in found for one in part[2]]
    known = set(corpus.ids)
    # Of a record that is not trained on the caption is the answer: it decides nothing.
    own = [text if i in known else None for text, i in zip(captions, ids, strict=True)]
    made_of = {
        "version": [VERSION, package_version("rdkit")],
        "count": count,
        "asked": [smiles, own],
        "pool": [corpus.smiles, corpus.captions],
    }
    places = kept("neighbours", digest16(made_of), lambda: _found(smiles, own, corpus, count))
    return places.numpy()


def _found(
    smiles: Sequence[str], own: Sequence[str | None], corpus: "Corpus", count: int
) -> Tensor:
    asked, pool = Fingerprints.of(smiles), Fingerprints.of(corpus.smiles)
    molecules = {one: _canonical(one) for one in {*smiles, *corpus.smiles}}
    molecule_M, molecule_P = _numbered([molecules[one] for one in smiles],
                                       [molecules[one] for one in corpus.smiles])  # fmt: skip
    text_M, text_P = _numbered(own, corpus.captions)
    is_trained_M = np.array([text is not None for text in own], bool)

    def similarity(rows: slice) -> NDArray[np.float32]:
        found_qP = tanimoto(asked[rows], pool)
        same_qP = molecule_M[rows, None] == molecule_P
        same_qP |= text_M[rows, None] == text_P
        found_qP[same_qP & is_trained_M[rows, None]] = _NOT_ASKED
        return found_qP

    found = search(len(smiles), similarity, count)
    if (found.similarity_QK == _NOT_ASKED).any():
        raise ConfigError(
            f"settings.generator.neighbours {count}: a training record has fewer others in a pool "
            f"of {len(corpus):,}; ask for less"
        )
    return torch.from_numpy(found.places_QK)


@dataclass(frozen=True)
class NeighbourTokens:
    """B times N texts, as tokens."""

    tokens_BNT: Tensor
    """int64, padded at the end."""
    n_tokens_BN: Tensor
    """int64"""

    @property
    def mask_BNT(self) -> Tensor:
        """Return bool: which tokens are no padding."""
        places_T = torch.arange(self.tokens_BNT.shape[2], device=self.tokens_BNT.device)
        return places_T < self.n_tokens_BN[:, :, None]

    def to(self, device: torch.device) -> Self:
        """Return them on `device`."""
        return type(self)(self.tokens_BNT.to(device), self.n_tokens_BN.to(device))


class NeighbourTexts:
    """The neighbours of a split's records, as tokens."""

    def __init__(
        self,
        records: Records,
        corpus: "Corpus",
        count: int,
        tokens_P: Sequence[Sequence[int]],
    ) -> None:
        """Find the neighbours.

        Args:
            records: Of the split.
            corpus: The pool.
            count: N.
            tokens_P: What is shown of each of its records.
        """
        self._places_MN = neighbours(records, corpus, count)
        self._tokens_P = tokens_P

    def of(self, place: int) -> list[Sequence[int]]:
        """Return the tokens of a record's neighbours, the nearest first."""
        return [self._tokens_P[k] for k in self._places_MN[place]]

    def batch(self, indices: NDArray[np.integer], padding: int, multiple: int) -> NeighbourTokens:
        """Return those of the records at `indices` (B,), padded to a multiple."""
        rows = [text for place in indices for text in self.of(int(place))]
        width = max(map(len, rows))
        width += -width % multiple
        tokens_RT = np.full((len(rows), width), padding, np.int64)
        for row, text in enumerate(rows):
            tokens_RT[row, : len(text)] = text
        shape = (len(indices), self._places_MN.shape[1])
        return NeighbourTokens(
            torch.from_numpy(tokens_RT).view(*shape, width),
            torch.tensor([len(text) for text in rows]).view(shape),
        )


def _numbered(asked: Sequence, pool: Sequence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers of both such that equal ones are equal."""
    number = {each: place for place, each in enumerate(dict.fromkeys([*asked, *pool]))}
    return tuple(np.array([number[each] for each in one], np.int64) for one in (asked, pool))  # pyright: ignore[reportReturnType]


def _canonical(smiles: str) -> str:
    """Return the molecule's one SMILES; what does not parse is refused with the fingerprints."""
    from rdkit import Chem

    molecule = parse(smiles)
    return Chem.MolToSmiles(molecule) if molecule is not None else smiles
