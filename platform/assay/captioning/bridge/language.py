"""The language model: one with weights, in 16, 32 or 4 bits, or a small random one; its adapters.

Sources: Qwen3, arXiv:2505.09388; LoRA, Hu et al., ICLR 2022; NF4 and double quantisation, Dettmers
et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023.

Shapes: B texts, T tokens (padded), D width of the language model.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from assay.captioning.bridge.prompt import prompt_texts
from assay.captioning.bridge.settings import BridgeSettings, LoraSettings, ScratchSettings
from assay.captioning.subwords import learn_subwords
from assay.chemistry.extras import needing
from assay.errors import ConfigError, DataError
from assay.store.pretrained import FROM_DISK, folder_of

EXTRA = "captioning"
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven linear maps of a block."""
ADAPTER = "lora_"
"""In the name of each parameter of an adapter."""
END = "<|endoftext|>"
THOUGHTS = ("<think>", "</think>")
"""Qwen3's marks of thinking aloud, which a description has no use for."""
log = logging.getLogger(__name__)


def tokenizer_of(settings: BridgeSettings, smiles: Sequence[str], captions: Sequence[str]) -> Any:
    """Return the tokenizer of the language model, learned from the texts where it has none.

    Raises:
        DataError: the model's folder holds none.
        MachineError: transformers is not installed.
    """
    with needing(EXTRA):
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if settings.scratch is not None:
        texts = [*captions, *prompt_texts(settings.inputs, smiles)]
        learned = learn_subwords(texts, settings.scratch.vocabulary - 1)
        learned.add_special_tokens([END])
        return PreTrainedTokenizerFast(
            tokenizer_object=learned, eos_token=END, pad_token=END,
            clean_up_tokenization_spaces=False,
        )  # fmt: skip
    folder = _folder(settings)
    try:
        return AutoTokenizer.from_pretrained(folder, **FROM_DISK)
    except Exception as error:  # transformers raises many kinds
        raise DataError(f"{folder}: holds no tokenizer ({_reason(error)})") from error


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
        model = _loaded(settings)
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


def adapted(model: Any, settings: LoraSettings) -> Any:
    """Return the model with adapters in place, of float32 whatever its own weights are.

    Raises:
        ConfigError: it has no linear maps of those names.
        MachineError: peft is not installed.
    """
    quieten()
    with needing(EXTRA):
        from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0,  # pyright: ignore
        target_modules=list(LINEAR), bias="none",
    )  # fmt: skip
    try:
        model = inject_adapter_in_model(config, model)
    except ValueError as error:
        raise ConfigError(f"language_model: nothing to adapt ({_reason(error)})") from error
    for name, parameter in model.named_parameters():
        if ADAPTER in name:
            parameter.data = parameter.data.float()
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


def quieten() -> None:
    """Keep libraries from printing amid what we print.

    Of bars for reading and writing files there are none, and bitsandbytes does not warn, on import,
    that a kernel is not on the hub: it has one of its own.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


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


def _loaded(settings: BridgeSettings) -> Any:
    weights = settings.language_model
    assert weights is not None
    with needing(EXTRA):
        from transformers import AutoModelForCausalLM

    quieten()
    folder = _folder(settings)
    options: dict[str, Any] = {"dtype": getattr(torch, weights.precision)}
    if weights.quantise == "nf4":
        options |= _four_bits(options["dtype"])
    try:
        found: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            output_loading_info=True,
            **FROM_DISK,
            **options,
        )
    except Exception as error:  # transformers raises many kinds
        raise DataError(f"{folder}: is no causal language model ({_reason(error)})") from error
    model, told = found
    absent = sorted(map(str, {*told["missing_keys"], *told.get("mismatched_keys", ())}))
    if absent:
        raise DataError(
            f"{folder}: its weights lack {absent[0]} (and {len(absent) - 1} more), which would be "
            "drawn at random; give the weights of this very model"
        )
    for module in model.modules():
        # Or else, on processors that compute in bfloat16, the first evaluation would repack the
        # weights in place and round their scales: the frozen model would not be frozen.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _four_bits(precision: torch.dtype) -> dict[str, Any]:
    """Return what loads every linear map as NF4 with double quantisation."""
    quieten()
    with needing(EXTRA):
        import accelerate  # noqa: F401
        import bitsandbytes  # noqa: F401
        from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=precision,
    )
    # On the CPU first: the loop moves a model to its device.
    return {"quantization_config": config, "device_map": {"": "cpu"}}


def _folder(settings: BridgeSettings) -> Path:
    assert settings.language_model is not None
    return folder_of(settings.language_model, EXTRA)[0]


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


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
