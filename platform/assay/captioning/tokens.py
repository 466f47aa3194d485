"""Captions as tokens: a split tokenised once, and batches of like lengths, padded.

Shapes: B records, T tokens (padded).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.data.captions import CaptionBatch, batches_of
from assay.captioning.graphs import GraphBatch
from assay.captioning.neighbours import NeighbourTexts, NeighbourTokens
from assay.captioning.subwords import TokenBatch
from assay.task import Records

Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts -> tokens of each, with the one that ends a text."""
MULTIPLE = 8
"""Of which the padded length is one, so that there are few of them."""


@dataclass(frozen=True)
class TextBatch:
    """B molecules with their captions as tokens."""

    record_ids: Tensor
    """(B,) int64"""
    graphs: GraphBatch
    smiles: tuple[str, ...]
    """(B,) of the graphs."""
    captions: tuple[str, ...]
    """(B,) texts."""
    tokens_BT: Tensor
    """int64, padded at the end."""
    n_tokens_B: Tensor
    """int64: of each caption, with the token that ends it."""
    neighbours: NeighbourTokens | None = None
    """Captions of similar molecules, where they are shown."""
    stage: str = ""
    """In which they are trained on, where records say so (`StagedRecords`)."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    @property
    def mask_BT(self) -> Tensor:
        """Return bool: which tokens are no padding."""
        places_T = torch.arange(self.tokens_BT.shape[1], device=self.tokens_BT.device)
        return places_T < self.n_tokens_B[:, None]

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        shown = self.neighbours
        return replace(
            self,
            record_ids=self.record_ids.to(device, non_blocking=True),
            graphs=self.graphs.to(device),
            tokens_BT=self.tokens_BT.to(device, non_blocking=True),
            n_tokens_B=self.n_tokens_B.to(device, non_blocking=True),
            neighbours=None if shown is None else shown.to(device),
        )

    @property
    def words(self) -> TokenBatch:
        """Return the captions' tokens one text after another, as a bag of subwords is read."""
        return TokenBatch(self.tokens_BT[self.mask_BT], self.n_tokens_B.cumsum(0) - self.n_tokens_B)

    def with_graphs_of(self, other: "TextBatch") -> Self:
        """Return the same records with the graphs of others."""
        return replace(self, graphs=other.graphs, smiles=other.smiles)


class TokenRecords:
    """A split of captions, tokenised, as `assay.task.Records`."""

    def __init__(
        self,
        records: Records,
        encode: Encode,
        most: int,
        padding: int,
        least: int = 0,
        neighbours: NeighbourTexts | None = None,
    ) -> None:
        """Tokenise the captions of `records`.

        Args:
            records: Of `CaptionBatch`es.
            encode: Texts to tokens.
            most: Tokens of a caption; a longer one is cut, keeping the token that ends it.
            padding: The token that stands after a text.
            least: Tokens of a batch, at least, padding included.
            neighbours: Of each record, where they are shown.
        """
        self._records, self._padding, self._least = records, padding, least
        self._neighbours = neighbours
        captions = [text for batch in batches_of(records) for text in batch.captions]
        tokens = encode(captions)
        self.cut = sum(len(each) > most for each in tokens)
        """How many captions are longer than `most`."""
        kept = [each if len(each) <= most else [*each[: most - 1], each[-1]] for each in tokens]
        self._n_tokens = np.array([len(each) for each in kept], np.int64)
        self._first = np.cumsum(self._n_tokens) - self._n_tokens
        self._tokens = np.array([token for each in kept for token in each], np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) tokens of each caption."""
        return self._n_tokens

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> TextBatch:
        """Return the records at `indices` (B,), in that order."""
        found = cast(CaptionBatch, self._records.batch(indices))
        n_B, first_B = self._n_tokens[indices], self._first[indices]
        width = max(int(n_B.max()), self._least)
        width += -width % MULTIPLE
        tokens_BT = np.full((len(indices), width), self._padding, np.int64)
        for row, (first, count) in enumerate(zip(first_B, n_B, strict=True)):
            tokens_BT[row, :count] = self._tokens[first : first + count]
        shown = self._neighbours
        return TextBatch(
            found.record_ids,
            found.graphs,
            found.smiles,
            found.captions,
            torch.from_numpy(tokens_BT),
            torch.from_numpy(n_B),
            None if shown is None else shown.batch(indices, self._padding, MULTIPLE),
        )


class StagedRecords:
    """Records of `TextBatch`es that say in which stage they are read: its steps cost otherwise."""

    def __init__(self, records: Records, stage: str) -> None:
        """Name the stage of all batches."""
        self._records, self._stage = records, stage

    @property
    def lengths(self) -> NDArray[np.integer] | None:
        """(len,) as the records have them."""
        return self._records.lengths

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> TextBatch:
        """Return the records at `indices` (B,), in that order."""
        return replace(cast(TextBatch, self._records.batch(indices)), stage=self._stage)


def in_parts(indices: NDArray[np.integer], size: int) -> list[NDArray[np.integer]]:
    """Return `size` indices at a time."""
    return [indices[first : first + size] for first in range(0, len(indices), size)]
