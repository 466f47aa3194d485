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

from assay.captioning.data.captions import CaptionBatch
from assay.captioning.graphs import GraphBatch
from assay.task import Records

Encode = Callable[[Sequence[str]], list[list[int]]]
"""Texts -> tokens of each, with the one that ends a text."""
MULTIPLE = 8
"""Of which the padded length is one, so that there are few of them."""
_AT_ONCE = 1024


@dataclass(frozen=True)
class TextBatch:
    """B molecules with their captions as tokens."""

    record_ids: Tensor
    """(B,) int64"""
    graphs: GraphBatch
    captions: tuple[str, ...]
    """(B,) texts."""
    tokens_BT: Tensor
    """int64, padded at the end."""
    n_tokens_B: Tensor
    """int64: of each caption, with the token that ends it."""

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
        return replace(
            self,
            record_ids=self.record_ids.to(device, non_blocking=True),
            graphs=self.graphs.to(device),
            tokens_BT=self.tokens_BT.to(device, non_blocking=True),
            n_tokens_B=self.n_tokens_B.to(device, non_blocking=True),
        )


class TokenRecords:
    """A split of captions, tokenised, as `assay.task.Records`."""

    def __init__(
        self, records: Records, encode: Encode, most: int, padding: int, least: int = 0
    ) -> None:
        """Tokenise the captions of `records`.

        Args:
            records: Of `CaptionBatch`es.
            encode: Texts to tokens.
            most: Tokens of a caption; a longer one is cut, keeping the token that ends it.
            padding: The token that stands after a text.
            least: Tokens of a batch, at least, padding included.
        """
        self._records, self._padding, self._least = records, padding, least
        captions = captions_of_records(records)
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
        return TextBatch(
            found.record_ids,
            found.graphs,
            found.captions,
            torch.from_numpy(tokens_BT),
            torch.from_numpy(n_B),
        )


def captions_of_records(records: Records) -> list[str]:
    """Return the captions of a split of `CaptionBatch`es."""
    return [text for batch in _batches(records) for text in batch.captions]


def smiles_of_records(records: Records) -> list[str]:
    """Return the SMILES of a split of `CaptionBatch`es."""
    return [smiles for batch in _batches(records) for smiles in batch.smiles]


def _batches(records: Records) -> list[CaptionBatch]:
    starts = range(0, len(records), _AT_ONCE)
    parts = [np.arange(a, min(a + _AT_ONCE, len(records))) for a in starts]
    return [cast(CaptionBatch, records.batch(part)) for part in parts]
