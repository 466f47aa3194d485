"""T5, the language model of the latent prefix: pretrained, or a small one that starts from nothing.

Source: Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
transformer", JMLR 21 (2020), in transformers' T5ForConditionalGeneration.

T5's own dropout is switched off: it draws from torch's running generator, so that a resumed run and
halved micro-batches would see other draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, PositiveInt
from torch import nn

from assay.captioning.subwords import learn_subwords
from assay.captioning.tokens import Encode
from assay.captioning.weights import keep_tied_once
from assay.chemistry.extras import needing
from assay.config import Size, SizedSettings
from assay.errors import DataError
from assay.store.pretrained import FROM_DISK, PretrainedSettings, folder_of

PADDING, END = 0, 1
"""Of a vocabulary that is learned; its subwords come after."""
_MARKS = 2


class T5Weights(PretrainedSettings):
    """A T5 that is pretrained, with its tokenizer."""

    key: ClassVar[str] = "settings.generator.language_model"


class SmallT5Settings(SizedSettings):
    """Of a T5 that starts from nothing, with subwords learned from the training captions."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 64, "depth": 2, "heads": 4, "vocabulary": 512},
        "s": {"width": 128, "depth": 3, "heads": 4, "vocabulary": 2048},
        "m": {"width": 256, "depth": 4, "heads": 8, "vocabulary": 4096},
    }

    width: PositiveInt
    depth: PositiveInt
    """Of the encoder and of the decoder."""
    heads: PositiveInt
    vocabulary: int = Field(ge=256)
    """Subwords at most; fewer where the captions do not hold so many."""


@dataclass(frozen=True)
class Vocabulary:
    """Texts as tokens and back."""

    size: int
    padding: int
    end: int
    encode: Encode
    """With the token that ends a text."""
    decode: Callable[[Sequence[Sequence[int]]], list[str]]
    """Without marks."""


def learned_vocabulary(settings: SmallT5Settings, captions: Sequence[str]) -> Vocabulary:
    """Return byte-level subwords of captions, with marks for padding and for the end."""
    tokenizer = learn_subwords(captions, settings.vocabulary)

    def encode(texts: Sequence[str]) -> list[list[int]]:
        found = tokenizer.encode_batch(list(texts))
        return [[*(token + _MARKS for token in each.ids), END] for each in found]

    def decode(tokens: Sequence[Sequence[int]]) -> list[str]:
        kept = [[token - _MARKS for token in each if token >= _MARKS] for each in tokens]
        return tokenizer.decode_batch(kept)

    return Vocabulary(tokenizer.get_vocab_size() + _MARKS, PADDING, END, encode, decode)


def small_t5(settings: SmallT5Settings, vocabulary: Vocabulary) -> Any:
    """Return a T5 whose initial values are those of torch's generator."""
    with needing("captioning"):
        from transformers import T5Config, T5ForConditionalGeneration
    make: Any = T5Config  # whose fields for generation its type does not name
    config = make(
        vocab_size=vocabulary.size,
        d_model=settings.width,
        d_kv=max(1, settings.width // settings.heads),
        d_ff=4 * settings.width,
        num_layers=settings.depth,
        num_heads=settings.heads,
        dropout_rate=0.0,
        pad_token_id=vocabulary.padding,
        eos_token_id=vocabulary.end,
        decoder_start_token_id=vocabulary.padding,
    )
    # As in T5 1.1, and unlike T5, which divides what it reads out by √D and learns at rates that
    # AdamW cannot take: a step of Adam then moves a logit √D times as far.
    config.scale_decoder_outputs = False
    t5 = T5ForConditionalGeneration(config)
    nn.init.normal_(t5.shared.weight, std=settings.width**-0.5)
    return _ready(t5, vocabulary)


def pretrained_vocabulary(weights: T5Weights) -> Vocabulary:
    """Return the tokenizer that belongs to pretrained weights.

    Raises:
        DataError: there is none, or it does not fit the weights.
        MachineError: transformers is not installed.
    """
    folder, _ = folder_of(weights, "captioning")
    with needing("captioning"):
        from transformers import AutoTokenizer
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, **FROM_DISK)
    except Exception as error:  # transformers raises many kinds
        raise DataError(f"{folder}: holds no tokenizer ({_first_line(error)})") from error
    if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
        raise DataError(f"{folder}: its tokenizer has no token for padding, or none for the end")
    size = _config(folder).vocab_size
    if len(tokenizer) > size:
        raise DataError(
            f"{folder}: the tokenizer has {len(tokenizer):,} tokens, the model {size:,}; give the "
            "model its own tokenizer"
        )
    end = tokenizer.eos_token_id

    def encode(texts: Sequence[str]) -> list[list[int]]:
        found = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [[*tokens, end] for tokens in found]

    def decode(tokens: Sequence[Sequence[int]]) -> list[str]:
        return tokenizer.batch_decode(tokens, skip_special_tokens=True)

    return Vocabulary(size, tokenizer.pad_token_id, end, encode, decode)


def pretrained_t5(weights: T5Weights, vocabulary: Vocabulary) -> Any:
    """Return a T5 with pretrained weights.

    Raises:
        DataError: what is there is no T5, or lacks weights.
        MachineError: transformers is not installed.
    """
    folder, _ = folder_of(weights, "captioning")
    with needing("captioning"):
        import torch
        from transformers import T5ForConditionalGeneration
        from transformers.utils import logging
    logging.disable_progress_bar()  # of loading, amid what we print
    config = _config(folder)
    config.dropout_rate = 0.0
    if config.decoder_start_token_id is None:
        config.decoder_start_token_id = vocabulary.padding
    try:
        kind: Any = T5ForConditionalGeneration
        t5, about = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            **FROM_DISK,
            output_loading_info=True,
        )
    except Exception as error:  # transformers and safetensors raise many kinds
        raise DataError(f"{folder}: holds no T5 ({_first_line(error)})") from error
    lacking = sorted(about["missing_keys"]) + [str(each) for each in about["mismatched_keys"]]
    if lacking:
        raise DataError(
            f"{folder}: {lacking[0]} is missing or has another shape; give the whole T5"
        )
    return _ready(t5, vocabulary)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(folder, **FROM_DISK)
    except Exception as error:
        raise DataError(f"{folder}: holds no model for text ({_first_line(error)})") from error
    if config.model_type != "t5":
        raise DataError(f"{folder}: is a {config.model_type}; the latent prefix needs a T5")
    return config


def _ready(t5: Any, vocabulary: Vocabulary) -> Any:
    """Let nothing but a cell's settings say how texts are written."""
    from transformers import GenerationConfig

    t5.generation_config = GenerationConfig(
        pad_token_id=vocabulary.padding,
        eos_token_id=vocabulary.end,
        decoder_start_token_id=t5.config.decoder_start_token_id,
    )
    keep_tied_once(t5)
    return t5


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(": .")[:200]
