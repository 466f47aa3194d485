"""The language model: one with weights, in 16, 32 or 4 bits, or a small random one; its adapters.

Source: Qwen3, arXiv:2505.09388.

Shapes: B texts, T tokens (padded), D width of the language model.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from assay.captioning.bridge.prompt import prompt_texts
from assay.captioning.bridge.settings import BridgeSettings, ScratchSettings
from assay.captioning.subwords import learn_subwords
from assay.chemistry.extras import needing
from assay.errors import ConfigError, DataError
from assay.store.language_models import ADAPTER, EXTRA, adapted, load_model, load_tokenizer

END = "<|endoftext|>"
THOUGHTS = ("<think>", "</think>")
"""Qwen3's marks of thinking aloud, which a description has no use for."""


def tokenizer_of(settings: BridgeSettings, smiles: Sequence[str], captions: Sequence[str]) -> Any:
    """Return the tokenizer of the language model, learned from the texts where it has none.

    Raises:
        DataError: the model's folder holds none.
        MachineError: transformers is not installed.
    """
    with needing(EXTRA):
        from transformers import PreTrainedTokenizerFast

    if settings.scratch is not None:
        texts = [*captions, *prompt_texts(settings.inputs, smiles)]
        learned = learn_subwords(texts, settings.scratch.vocabulary - 1)
        learned.add_special_tokens([END])
        return PreTrainedTokenizerFast(
            tokenizer_object=learned, eos_token=END, pad_token=END,
            clean_up_tokenization_spaces=False,
        )  # fmt: skip
    assert settings.language_model is not None
    return load_tokenizer(settings.language_model)


def language_of(settings: BridgeSettings, tokenizer: Any) -> Any:
    """Return a causal language model of transformers with its adapters; nothing learns yet.

    Raises:
        ConfigError: the context is longer than the model's, or it lacks the maps to adapt.
        DataError: the folder holds no such model, or another tokenizer than the model's.
        MachineError: peft, accelerate or bitsandbytes is needed and not installed.
    """
    if settings.scratch is not None:
        model = _random(settings.scratch, len(tokenizer), settings.reads)
    else:
        assert settings.language_model is not None
        model = load_model(settings.language_model)
    where = settings.language_model.model if settings.language_model else "scratch"
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise DataError(
            f"{where}: the tokenizer has {len(tokenizer):,} tokens and the model {rows:,}; they "
            "do not belong together"
        )
    longest = getattr(model.config, "max_position_embeddings", settings.reads)
    if settings.reads > longest:
        of = f"context {settings.context}"
        if settings.neighbours:
            of += f" and {settings.neighbours} neighbours of {settings.neighbour_tokens} tokens"
        raise ConfigError(f"{of}: {where} reads {longest} tokens at most")
    _say_how_to_write(model, tokenizer)
    model.requires_grad_(False)
    if settings.lora is not None:
        model = adapted(model, settings.lora)
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def last_states(language: Any, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Return (B, T, D): the last hidden states for embeddings of tokens, padded at the end."""
    found = language.get_decoder()(
        inputs_embeds=x_BTD, attention_mask=mask_BT.long(), use_cache=False
    )
    return found.last_hidden_state


@torch.no_grad()
def description_embeddings(
    language: Any, tokens_BT: Tensor, mask_BT: Tensor, target: Literal["embeddings", "hidden"]
) -> Tensor:
    """Return float32 (B, D): the mean over texts' tokens of input embeddings or last states."""
    x_BTD = language.get_input_embeddings()(tokens_BT)
    if target == "hidden":
        x_BTD = last_states(language, x_BTD, mask_BT)
    weight_BT1 = mask_BT[:, :, None].float()
    return (x_BTD.float() * weight_BT1).sum(1) / weight_BT1.sum(1)


def trainable_adapters(model: nn.Module) -> int:
    """Return how many parameters the adapters have."""
    return sum(p.numel() for name, p in model.named_parameters() if ADAPTER in name)


def _random(settings: ScratchSettings, tokens: int, context: int) -> Any:
    with needing(EXTRA):
        from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=tokens,
        hidden_size=settings.width,
        intermediate_size=3 * settings.width,
        num_hidden_layers=settings.depth,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads // 2,
        head_dim=settings.width // settings.heads,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def _say_how_to_write(model: Any, tokenizer: Any) -> None:
    """Replace the model's own habits of decoding; thoughts are never written."""
    from transformers import GenerationConfig

    vocabulary = tokenizer.get_vocab()
    padding = tokenizer.pad_token_id
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id if padding is None else padding,
        suppress_tokens=[vocabulary[mark] for mark in THOUGHTS if mark in vocabulary] or None,
    )
