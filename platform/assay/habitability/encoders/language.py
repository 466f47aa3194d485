"""Descriptions, read by a language model with weights, of which adapters learn.

Shapes: B planets, T tokens (padded at the end), D width, L width of the language model.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay.errors import ConfigError
from assay.habitability.data.batches import MultiModalBatch, Tokenize
from assay.habitability.data.checks import check_text
from assay.habitability.data.samples import CONTEXT_BYTES
from assay.habitability.encoders.encoder import Encoder, Tokens
from assay.habitability.model_settings import ModelSettings
from assay.store.language_models import WeightsSettings, adapted, load_model, load_tokenizer

CONTEXT = CONTEXT_BYTES
"""Tokens of a description at most: no tokenizer makes more of it than it has bytes."""


class LanguageEncoder(Encoder):
    """The last states of a causal language model, one a token of its own."""

    def __init__(self, settings: ModelSettings) -> None:
        """Load the weights.

        Raises:
            ConfigError: the model reads less than a description may hold, or cannot be adapted.
            DataError: it is not to be had, or is another than the cell's.
            MachineError: a package is missing.
        """
        super().__init__()
        weights, lora = settings.language_model, settings.lora
        assert weights is not None
        assert lora is not None
        language = load_model(weights)
        longest = getattr(language.config, "max_position_embeddings", CONTEXT)
        if longest < CONTEXT:
            raise ConfigError(
                f"language_model {weights.model}: reads {longest} tokens at most, and descriptions "
                f"may have {CONTEXT}"
            )
        language.requires_grad_(False)
        self.language: Any = adapted(language, lora)
        if settings.gradient_checkpointing:
            self.language.activation_checkpointing_enable({"use_reentrant": False})
        own, width = language.get_input_embeddings().weight.shape[1], settings.width
        self.project = nn.Sequential(nn.Linear(own, width), nn.LayerNorm(width))

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return tokens in the order of the text."""
        # Of a planet without a description it sees one token, which nobody reads.
        seen_BT = batch.attention_mask.clone()
        seen_BT[:, 0] = True
        states_BTL: Tensor = self.language.get_decoder()(
            input_ids=batch.input_ids, attention_mask=seen_BT.long(), use_cache=False
        ).last_hidden_state
        return Tokens(self.project(states_BTL.float()), batch.attention_mask)


def tokenizer_of(weights: WeightsSettings) -> Tokenize:
    """Return what makes a model's own tokens of texts, padded at the end.

    Raises:
        DataError: the folder holds no tokenizer.
        MachineError: transformers is not installed.
    """
    tokenizer = load_tokenizer(weights)

    def tokenize(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        each = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        length = max([1, *map(len, each)])
        ids_BT = torch.zeros(len(texts), length, dtype=torch.int64)
        mask_BT = torch.zeros(len(texts), length, dtype=torch.bool)
        for row, own in enumerate(each):
            ids_BT[row, : len(own)] = torch.tensor(own, dtype=torch.int64)
            mask_BT[row, : len(own)] = True
        return ids_BT, mask_BT

    return tokenize


def check_lengths(texts: Sequence[str], names: Sequence[str], tokenize: Tokenize) -> None:
    """Refuse descriptions that would be cut off.

    Raises:
        DataError: names the planet.
    """
    _, mask_BT = tokenize(texts)
    for text, name, tokens in zip(texts, names, mask_BT.sum(1).tolist(), strict=True):
        if text:
            check_text(tokens, CONTEXT, name)
