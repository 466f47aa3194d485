"""A split as prompts and answers, tokenised once, and batches of them.

Shapes: B records, T tokens (padded), K graph tokens.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.bridge.prompt import IGNORED, PromptWriter
from assay.captioning.data.captions import CaptionBatch
from assay.captioning.graphs import GraphBatch
from assay.captioning.subwords import TokenBatch
from assay.captioning.tokens import MULTIPLE
from assay.task import Records

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_AT_ONCE = 1024
Purpose = Literal["pretrain", "align", "generate"]
"""The stages, by name."""


@dataclass(frozen=True)
class BridgeBatch:
    """B molecules with their prompts and answers."""

    record_ids: Tensor
    """(B,) int64"""
    purpose: Purpose
    graphs: GraphBatch
    captions: tuple[str, ...]
    """(B,) texts."""
    words: TokenBatch
    """The captions in the text encoder's subwords."""
    tokens_BT: Tensor
    """int64: prompt, answer, padding; `PLACE` where graph tokens are put."""
    labels_BT: Tensor
    """int64: the answer; `IGNORED` elsewhere."""
    n_tokens_B: Tensor
    """int64: of prompt and answer."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    @property
    def mask_BT(self) -> Tensor:
        """Return bool: which tokens are no padding."""
        places_T = torch.arange(self.tokens_BT.shape[1], device=self.tokens_BT.device)
        return places_T < self.n_tokens_B[:, None]

    def prompts(self, padding: int) -> tuple[Tensor, Tensor]:
        """Return tokens and mask (B, P) of the prompts alone, padded before them."""
        is_prompt_BT = self.mask_BT & (self.labels_BT == IGNORED)
        n_B = is_prompt_BT.sum(1)
        P = int(n_B.max())
        mask_BP = torch.arange(P, device=n_B.device) >= P - n_B[:, None]
        tokens_BP = n_B.new_full((len(self), P), padding)
        tokens_BP[mask_BP] = self.tokens_BT[is_prompt_BT]
        return tokens_BP, mask_BP

    def with_graphs_of(self, other: "BridgeBatch") -> Self:
        """Return the same records with the graphs of others."""
        return replace(self, graphs=other.graphs)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        names = ("record_ids", "tokens_BT", "labels_BT", "n_tokens_B")
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        return replace(self, graphs=self.graphs.to(device), words=self.words.to(device), **moved)


class BridgeRecords:
    """Records of a split, or some of them, for a purpose; as `assay.task.Records`."""

    def __init__(
        self,
        records: Records,
        writer: PromptWriter,
        words: "Tokenizer | None",
        padding: int,
        purpose: Purpose = "generate",
    ) -> None:
        """Tokenise.

        Args:
            records: Of `CaptionBatch`es.
            writer: Of prompts and answers.
            words: The text encoder's subwords, if there is one.
            padding: The language model's token that stands after a text.
            purpose: Of the batches.
        """
        self._records, self._padding, self.purpose = records, padding, purpose
        ids, captions, written = [], [], []
        for first in range(0, len(records), _AT_ONCE):
            places = np.arange(first, min(first + _AT_ONCE, len(records)))
            found = cast(CaptionBatch, records.batch(places))
            ids.append(found.record_ids.numpy())
            captions += found.captions
            written += [
                writer.write(*pair) for pair in zip(found.smiles, found.captions, strict=True)
            ]
        self._ids, self._captions, self._written = np.concatenate(ids), captions, written
        self._words: list[list[int]] = [[] for _ in captions]
        if words is not None:
            self._words = [each.ids for each in words.encode_batch(captions)]
        self._n_tokens = np.array([len(each.tokens) for each in written], np.int64)
        self._places = np.arange(len(records))

    @property
    def ids(self) -> NDArray[np.int64]:
        """(len,) of the records, in the packed set."""
        return self._ids[self._places]

    @property
    def captions(self) -> list[str]:
        """(len,) as they are, not cut."""
        return [self._captions[place] for place in self._places]

    @property
    def cut(self) -> tuple[int, int]:
        """Return how many SMILES and how many captions were cut."""
        return (
            sum(each.is_smiles_cut for each in self._written),
            sum(each.is_answer_cut for each in self._written),
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) tokens of each prompt and answer."""
        return self._n_tokens[self._places]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._places)

    def part(self, purpose: Purpose, places: NDArray[np.integer] | None = None) -> Self:
        """Return the records, or those at `places`, for another purpose."""
        part = copy.copy(self)
        part.purpose = purpose
        if places is not None:
            part._places = self._places[places]
        return part

    def batch(self, indices: NDArray[np.integer]) -> BridgeBatch:
        """Return the records at `indices` (B,), in that order."""
        places = self._places[indices]
        found = cast(CaptionBatch, self._records.batch(places))
        written = [self._written[place] for place in places]
        width = max(len(each.tokens) for each in written)
        width += -width % MULTIPLE
        return BridgeBatch(
            found.record_ids,
            self.purpose,
            found.graphs,
            found.captions,
            _joined([self._words[place] for place in places]),
            _padded([each.tokens for each in written], width, self._padding),
            _padded([each.labels for each in written], width, IGNORED),
            torch.from_numpy(self._n_tokens[places]),
        )


def _padded(rows: Sequence[Sequence[int]], width: int, padding: int) -> Tensor:
    found_BT = torch.full((len(rows), width), padding, dtype=torch.int64)
    for row, tokens in enumerate(rows):
        found_BT[row, : len(tokens)] = torch.tensor(tokens)
    return found_BT


def _joined(texts: Sequence[Sequence[int]]) -> TokenBatch:
    lengths_B = torch.tensor([len(each) for each in texts], dtype=torch.int64)
    tokens = [token for each in texts for token in each]
    return TokenBatch(torch.tensor(tokens, dtype=torch.int64), lengths_B.cumsum(0) - lengths_B)
