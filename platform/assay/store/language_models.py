"""Causal language models with weights: loaded in 16, 32 or 4 bits, and given adapters.

Sources: LoRA, Hu et al., ICLR 2022; NF4 and double quantisation, Dettmers et al., "QLoRA: efficient
finetuning of quantized LLMs", NeurIPS 2023.
"""

import logging
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt

from assay.chemistry.extras import needing
from assay.config import Settings
from assay.errors import ConfigError, DataError
from assay.store.pretrained import FROM_DISK, PretrainedSettings, folder_of

EXTRA = "captioning"
"""Of assay-bench, that installs what language models need."""
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven linear maps of a block."""
ADAPTER = "lora_"
"""In the name of each parameter of an adapter."""


class WeightsSettings(PretrainedSettings):
    """A causal language model with weights, such as Qwen/Qwen3-0.6B."""

    key: ClassVar[str] = "language_model"

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of weights that are not quantised, and of what is computed with those that are."""
    quantise: Literal["none", "nf4"] = "none"
    """nf4: 4 bits a weight of every linear map, by blocks whose scales are quantised in turn."""


class LoraSettings(Settings):
    """Of the low-rank adapters on all seven linear maps of a block; their dropout is 0."""

    rank: PositiveInt = 8
    alpha: float = Field(default=16.0, gt=0)
    """An update counts alpha / rank times."""


def load_tokenizer(settings: WeightsSettings) -> Any:
    """Return the tokenizer in a model's folder.

    Raises:
        DataError: the folder holds none.
        MachineError: transformers is not installed.
    """
    with needing(EXTRA):
        from transformers import AutoTokenizer

    folder = folder_of(settings, EXTRA)[0]
    try:
        return AutoTokenizer.from_pretrained(folder, **FROM_DISK)
    except Exception as error:  # transformers raises many kinds
        raise DataError(f"{folder}: holds no tokenizer ({_reason(error)})") from error


def load_model(settings: WeightsSettings) -> Any:
    """Return a causal language model of transformers.

    Raises:
        DataError: the folder holds no such model, or not all of its weights.
        MachineError: transformers, accelerate or bitsandbytes is needed and not installed.
    """
    with needing(EXTRA):
        from transformers import AutoModelForCausalLM

    quieten()
    folder = folder_of(settings, EXTRA)[0]
    options: dict[str, Any] = {"dtype": getattr(torch, settings.precision)}
    if settings.quantise == "nf4":
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


def quieten() -> None:
    """Keep libraries from printing amid what we print, such as bars for reading of files."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    quieten_bitsandbytes()


def quieten_bitsandbytes() -> None:
    """Keep it from warning, on import, that a kernel is not on the hub: it has one of its own."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


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


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
