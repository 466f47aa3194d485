"""A split as prompts and answers, tokenised once, and batches of them.

Shapes: B records, T tokens (padded), P tokens of prompts, O width of the encoder's embedding,
D width of the language model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.captioning.bridge.prompt import IGNORED, PromptWriter
from assay.captioning.data.captions import CaptionBatch, batches_of
from assay.captioning.frozen import FrozenRows
from assay.captioning.graphs import GraphBatch
from assay.captioning.neighbours import NeighbourTexts
from assay.captioning.subwords import TokenBatch
from assay.captioning.tokens import MULTIPLE
from assay.task import Records

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Purpose = Literal["pretrain", "align", "generate"]
"""The stages, by name."""


@dataclass(frozen=True)
class BridgeBatch:
    """B molecules with their prompts and answers."""

    record_ids: Tensor
    """(B,) int64"""
    purpose: Purpose
    graphs: GraphBatch
    smiles: tuple[str, ...]
    """(B,) of the graphs."""
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
    graphs_BO: Tensor | None = None
    """What the encoder makes of the graphs, where it is frozen and known."""
    descriptions_BD: Tensor | None = None
    """What the language model makes of the captions, where it is frozen and known."""

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
        return replace(self, graphs=other.graphs, graphs_BO=other.graphs_BO, smiles=other.smiles)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        own = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {n: each.to(device, non_blocking=True) for n, each in own.items()}
        return replace(self, graphs=self.graphs.to(device), words=self.words.to(device), **moved)


class BridgeRecords:
    """A split of captions as prompts and answers, as `assay.task.Records`."""

    def __init__(
        self,
        records: Records,
        writer: PromptWriter,
        words: "Tokenizer | None",
        padding: int,
        neighbours: NeighbourTexts | None = None,
    ) -> None:
        """Tokenise.

        Args:
            records: Of `CaptionBatch`es.
            writer: Of prompts and answers.
            words: The text encoder's subwords, if there is one.
            padding: The language model's token that stands after a text.
            neighbours: The lines that tell of similar molecules, where they are shown.
        """
        self._records, self._padding = records, padding
        pairs = [p for b in batches_of(records) for p in zip(b.smiles, b.captions, strict=True)]
        captions = [caption for _, caption in pairs]
        self._written = [
            writer.write(*pair, () if neighbours is None else neighbours.of(place))
            for place, pair in enumerate(pairs)
        ]
        self._words: list[list[int]] = [[] for _ in captions]
        if words is not None:
            self._words = [each.ids for each in words.encode_batch(captions)]
        self._n_tokens = np.array([len(each.tokens) for each in self._written], np.int64)

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
        return self._n_tokens

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> BridgeBatch:
        """Return the records at `indices` (B,), in that order, to write descriptions of."""
        found = cast(CaptionBatch, self._records.batch(indices))
        written = [self._written[place] for place in indices]
        width = max(len(each.tokens) for each in written)
        width += -width % MULTIPLE
        return BridgeBatch(
            found.record_ids,
            "generate",
            found.graphs,
            found.smiles,
            found.captions,
            _joined([self._words[place] for place in indices]),
            _padded([each.tokens for each in written], width, self._padding),
            _padded([each.labels for each in written], width, IGNORED),
            torch.from_numpy(self._n_tokens[indices]),
        )


class StageRecords:
    """Records of `BridgeBatch`es, or some of them, for a stage, with what is known of them."""

    def __init__(
        self,
        records: Records,
        purpose: Purpose,
        places: NDArray[np.integer] | None = None,
        known: Mapping[str, FrozenRows] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Choose records.

        Args:
            records: Of `BridgeBatch`es.
            purpose: The stage.
            places: Of the records that it is shown; by default all.
            known: By field of a batch, what frozen parts of the model make of a record.
            before: Called before a batch is read. Reading is no part of a step, whose FLOPs are
                measured once for all that are alike.
        """
        self._records = records
        self.purpose: Purpose = purpose
        self._places = np.arange(len(records)) if places is None else places
        self._known, self._before = known or {}, before

    @property
    def lengths(self) -> NDArray[np.integer] | None:
        """(len,) as the records have them."""
        lengths = self._records.lengths
        return None if lengths is None else lengths[self._places]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._places)

    def batch(self, indices: NDArray[np.integer]) -> BridgeBatch:
        """Return the records at `indices` (B,), in that order."""
        self._before()
        found = cast(BridgeBatch, self._records.batch(self._places[indices]))
        known: dict[str, Any] = {n: rows.of(found.record_ids) for n, rows in self._known.items()}
        return replace(found, purpose=self.purpose, **known)


def _padded(rows: Sequence[Sequence[int]], width: int, padding: int) -> Tensor:
    found_BT = torch.full((len(rows), width), padding, dtype=torch.int64)
    for row, tokens in enumerate(rows):
        found_BT[row, : len(tokens)] = torch.tensor(tokens)
    return found_BT


def _joined(texts: Sequence[Sequence[int]]) -> TokenBatch:
    lengths_B = torch.tensor([len(each) for each in texts], dtype=torch.int64)
    tokens = [token for each in texts for token in each]
    return TokenBatch(torch.tensor(tokens, dtype=torch.int64), lengths_B.cumsum(0) - lengths_B)
