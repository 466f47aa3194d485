"""A trained bridge as a folder that stands alone: adapters merged, everything as safetensors.

language/              the merged language model and its tokenizer, as transformers writes them
projector.safetensors  and encoder.safetensors, where a graph is read
bridge.json            the settings
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from assay.captioning.bridge.language import language_of
from assay.captioning.bridge.model import BridgeModel
from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.contrast import Contrast, TextEncoder
from assay.captioning.encoder import GraphEncoder
from assay.chemistry.extras import needing
from assay.config import validate
from assay.errors import DataError
from assay.store.language_models import ADAPTER, EXTRA, quieten
from assay.store.pretrained import FROM_DISK

SETTINGS, LANGUAGE = "bridge.json", "language"


def merged(language: Any) -> Any:
    """Return a copy of a language model, W + (alpha / rank) · B A for each map that is adapted.

    Weights of 4 bits are restored to those that training computed with: rounding the sum to 4 bits
    again would be another model.
    """
    quieten()
    with needing(EXTRA):
        from peft.tuners.lora import LoraLayer
        from peft.utils.integrations import dequantize_module_weight
        from transformers import AutoModelForCausalLM

    weights: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, module in language.named_modules():
            if isinstance(module, LoraLayer):
                adapted: Any = module
                within = adapted.get_base_layer()
                base = dequantize_module_weight(within).data
                update = adapted.get_delta_weight(adapted.active_adapters[0])
                weights[f"{name}.weight"] = (base.float() + update.float()).to(base.dtype)
                if within.bias is not None:
                    weights[f"{name}.bias"] = within.bias.data
            elif ADAPTER not in name and "base_layer" not in name:
                own = module.named_parameters(recurse=False)
                weights |= {f"{name}.{key}".lstrip("."): each.data for key, each in own}
    config = type(language.config).from_dict(language.config.to_dict())
    config.__dict__.pop("quantization_config", None)
    whole = AutoModelForCausalLM.from_config(
        config, dtype=language.get_input_embeddings().weight.dtype
    )
    whole.load_state_dict({name: tensor.cpu() for name, tensor in weights.items()}, strict=False)
    absent = set(dict(whole.named_parameters())) - set(weights)
    assert not absent, f"{sorted(absent)[0]} is not to be found in the trained model"
    whole.generation_config = language.generation_config
    return whole.eval()


def export(model: BridgeModel, tokenizer: Any, folder: Path) -> None:
    """Write a trained bridge into a new folder.

    Raises:
        DataError: there is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty; name a new folder to export to")
    merged(model.language).save_pretrained(folder / LANGUAGE)
    tokenizer.save_pretrained(folder / LANGUAGE)
    if model.contrast is not None and model.projector is not None:
        save_file(_cpu(model.contrast.state_dict()), folder / "encoder.safetensors")
        save_file(_cpu(model.projector.state_dict()), folder / "projector.safetensors")
    (folder / SETTINGS).write_text(model.settings.model_dump_json(indent=2) + "\n")


def load_exported(folder: Path) -> tuple[BridgeModel, Any]:
    """Return an exported bridge, to write with, and its tokenizer.

    Raises:
        DataError: the folder is none, or a part of it is missing or unreadable.
        MachineError: transformers is not installed.
    """
    with needing(EXTRA):
        from transformers import AutoTokenizer

    try:
        written = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: is no exported bridge ({error})") from error
    language = {"model": str((folder / LANGUAGE).absolute())}
    changes = {"language_model": language, "scratch": None, "adapt": "full", "lora": None}
    changes["masking"] = None  # which only training asks for
    settings = validate(BridgeSettings, {**written, **changes}, str(folder / SETTINGS))
    tokenizer = AutoTokenizer.from_pretrained(folder / LANGUAGE, **FROM_DISK)
    contrast, parts = None, {}
    if settings.inputs != "smiles":
        parts = {name: _read(folder / f"{name}.safetensors") for name in ("encoder", "projector")}
        encoder = GraphEncoder(settings.encoder)
        words, outputs = len(parts["encoder"]["texts.subwords.weight"]), encoder.output.out_features
        texts = TextEncoder(settings.contrast, words, outputs)
        contrast = Contrast(encoder, texts, settings.contrast)
    padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    model = BridgeModel(settings, language_of(settings, tokenizer), contrast, padding)
    if contrast is not None and model.projector is not None:
        contrast.load_state_dict(parts["encoder"])
        model.projector.load_state_dict(parts["projector"])
    return model.requires_grad_(False).eval(), tokenizer


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error}); export the bridge again") from error


def _cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
