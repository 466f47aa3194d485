"""Byte-level subwords of captions, learned from the training split, and batches of them.

Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units",
ACL 2016, over bytes, so that no text is outside the vocabulary.

Shapes: B texts, ΣT their tokens, one text after another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from assay.chemistry.extras import needing

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class TokenBatch:
    """B texts."""

    tokens_T: Tensor
    """int64 (ΣT,)"""
    first_B: Tensor
    """int64: where each text begins."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.first_B)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        return replace(
            self,
            tokens_T=self.tokens_T.to(device, non_blocking=True),
            first_B=self.first_B.to(device, non_blocking=True),
        )


def learn_subwords(texts: Iterable[str], size: int) -> "Tokenizer":
    """Return a tokenizer of at most `size` subwords; the same texts give the same one.

    Args:
        texts: Captions of the training split, and of no other.
        size: Of the vocabulary, at least 256, the bytes.

    Raises:
        MachineError: tokenizers is not installed.
    """
    with needing("captioning"):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokenised(tokenizer: "Tokenizer", texts: Sequence[str]) -> TokenBatch:
    """Return texts as one batch."""
    found = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    lengths_B = torch.tensor([len(ids) for ids in found], dtype=torch.int64)
    return TokenBatch(
        torch.tensor([token for ids in found for token in ids], dtype=torch.int64),
        lengths_B.cumsum(0) - lengths_B,
    )
