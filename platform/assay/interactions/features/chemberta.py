"""Embeddings of SMILES by ChemBERTa, or any encoder of its kind.

Source: Chithrananda, Grand and Ramsundar, "ChemBERTa: large-scale self-supervised pretraining for
molecular property prediction", 2020. Shapes: V nodes, U texts, B texts of a batch, T tokens, F
width.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.chemistry.extras import needing
from assay.errors import DataError
from assay.interactions.features.node_features import NodeFeatures, cached
from assay.interactions.features.structures import digest_of, readable, smiles_of
from assay.interactions.settings import ChembertaSettings, FeatureSettings
from assay.store.packed import PackedSet
from assay.store.pretrained import FROM_DISK, folder_of

_TEXTS = 64
log = logging.getLogger(__name__)


def of_nodes(packed: PackedSet, settings: FeatureSettings) -> NodeFeatures:
    """Return (V, F) embeddings of the nodes' structures; without one, a node is unknown."""
    assert settings.chemberta is not None, "validated with the source"
    return chemberta(smiles_of(packed, settings), settings.chemberta)


def chemberta(smiles: Sequence[str], settings: ChembertaSettings) -> NodeFeatures:
    """Return (V, F) embeddings, computed once for these texts and weights.

    A structure that RDKit does not read is unknown, though a tokenizer would take it.

    Raises:
        DataError: the model is not to be had, cannot be read, or is another one than the cell's.
        MachineError: transformers is not installed.
    """
    folder, digest = folder_of(settings, "chemberta")
    smiles = readable(smiles)
    of = {
        "smiles": digest_of(smiles),
        "pooling": settings.pooling,
        "model": digest,
    }
    return cached("chemberta", of, len(smiles), lambda: _embed(smiles, folder, settings.pooling))


def _embed(smiles: Sequence[str], folder: Path, pooling: str) -> NodeFeatures:
    with needing("chemberta"):
        from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, **FROM_DISK)
        model, told = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            add_pooling_layer=False,
            output_loading_info=True,
            **FROM_DISK,
        )
    except Exception as error:  # transformers raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{folder}: is no encoder of text ({reason})") from error
    absent = sorted({*told["missing_keys"], *told.get("mismatched_keys", ())})
    if absent:
        raise DataError(
            f"{folder}: its weights lack {absent[0]} (and {len(absent) - 1} more), which would be "
            "drawn at random; give the weights of this very model"
        )
    model.eval()
    known_V = np.array([bool(text) for text in smiles])
    texts = [text for text in smiles if text]
    longest = min(tokenizer.model_max_length, model.config.max_position_embeddings - 2)
    tokens_U = [len(tokenizer(text)["input_ids"]) for text in texts]
    cut = sum(count > longest for count in tokens_U)
    if cut:
        log.warning("%d structures have more than %d tokens: their ends are cut", cut, longest)
    x_VF = np.zeros((len(smiles), model.config.hidden_size), np.float32)
    order_U = np.argsort(tokens_U, kind="stable")  # a batch of like lengths has little padding
    nodes_U = np.flatnonzero(known_V)
    for begin in range(0, len(texts), _TEXTS):
        places_B = order_U[begin : begin + _TEXTS]
        batch = tokenizer(
            [texts[place] for place in places_B],
            padding=True, truncation=True, max_length=longest, return_tensors="pt",
        )  # fmt: skip
        x_VF[nodes_U[places_B]] = _pooled(model, batch, pooling)
    return NodeFeatures.of(x_VF, known_V, str(folder))


def _pooled(model: Any, batch: Any, pooling: str) -> NDArray[np.float32]:
    """Return (B, F): the state of the first token, or the mean of all that are no padding."""
    with torch.no_grad():
        h_BTF = model(**batch).last_hidden_state.float()
    if pooling == "cls":
        return h_BTF[:, 0].numpy()
    mask_BT1 = batch["attention_mask"][:, :, None].float()
    return ((h_BTF * mask_BT1).sum(1) / mask_BT1.sum(1)).numpy()
