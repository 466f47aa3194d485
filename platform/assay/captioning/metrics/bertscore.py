"""BERTScore with a model of one's own: each token finds the most similar one of the other text.

Source: Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020, equations of
section 3: cosine similarity of contextual embeddings, greedy matching, no weighting by rarity, no
rescaling. The embeddings are the model's last hidden states; marks such as [CLS] take no part.

Shapes: B texts, T tokens (padded), D width, P and Q tokens of a prediction and of its reference.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found, require
from assay.captioning.metrics.resampling import Resamples
from assay.errors import DataError
from assay.store.pretrained import FROM_DISK, model_digest
from assay.task import Estimate

_AT_ONCE = 16
"""Pairs: only the embeddings of their texts are kept."""


class BERTScore(CaptionProtocol):
    """Precision, recall and F1 of greedy matching; the model is part of the version."""

    name: ClassVar[str] = "bertscore"

    def __init__(self, folder: Path) -> None:
        """Load a model and its tokenizer, from disk only.

        Args:
            folder: as transformers' `save_pretrained` writes it.

        Raises:
            DataError: there is none, it is no encoder, its weights are no safetensors or lack some,
                or it wants code of its own to be run.
            MachineError: transformers is missing.
        """
        require("transformers")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # of loading, amid what we print
        if not folder.is_dir():
            raise DataError(f"--bert {folder}: is not a folder; name one that holds a model")
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **FROM_DISK)
            model, told = AutoModel.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **FROM_DISK
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0].rstrip(": .")
            raise DataError(f"--bert {folder}: holds no model for text ({first})") from error
        if model.config.is_encoder_decoder or self._tokenizer.pad_token is None:
            raise DataError(f"--bert {folder}: is no encoder like BERT; give one")
        absent = sorted({*told["missing_keys"], *told.get("mismatched_keys", ())})
        if absent := [name for name in absent if "pooler" not in name]:  # which nothing here asks
            raise DataError(
                f"--bert {folder}: its weights lack {absent[0]}, which would be drawn at random; "
                "give the weights of this very model"
            )
        self._model: Any = model.float().eval()
        self.version = f"1 {folder.absolute().name} {model_digest(folder)}"

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return `bertscore/precision`, `bertscore/recall` and `bertscore/f1`."""
        said, wanted = pairs.predictions, pairs.references
        order = sorted(range(len(pairs)), key=lambda k: len(said[k]) + len(wanted[k]))
        scores_S3 = np.zeros((len(pairs), 3))
        cut = 0
        for start in range(0, len(order), _AT_ONCE):
            rows = order[start : start + _AT_ONCE]
            texts = sorted({text for k in rows for text in (said[k], wanted[k])})
            vectors, longer = self._embedded(texts)
            embedded = dict(zip(texts, vectors, strict=True))
            scores_S3[rows] = [greedy_match(embedded[said[k]], embedded[wanted[k]]) for k in rows]
            cut += longer
        remarks = (f"bertscore: {cut:,} texts are longer than the model reads; cut",) if cut else ()
        return Found(_estimates(scores_S3, resamples, self.version), remarks=remarks)

    @torch.inference_mode()
    def _embedded(self, texts: Sequence[str]) -> tuple[list[torch.Tensor], int]:
        """Return the (T, D) unit vectors of each text, and how many texts had to be cut."""
        most = min(self._tokenizer.model_max_length, self._positions())
        whole = self._tokenizer(list(texts), verbose=False)["input_ids"]
        encoded = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=most,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        marks_BT = encoded.pop("special_tokens_mask").bool()
        hidden_BTD = self._model(**encoded).last_hidden_state.float()
        unit_BTD = torch.nn.functional.normalize(hidden_BTD, dim=-1)
        own_BT = encoded["attention_mask"].bool() & ~marks_BT
        vectors = [unit_TD[own_T] for unit_TD, own_T in zip(unit_BTD, own_BT, strict=True)]
        return vectors, sum(len(each) > most for each in whole)

    def _positions(self) -> int:
        """Return how many tokens the model has positions for; RoBERTa's start after the padding."""
        config = self._model.config
        positions = getattr(config, "max_position_embeddings", None) or 512
        shifted = getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert")
        return positions - (config.pad_token_id + 1 if shifted else 0)


def greedy_match(said_PD: torch.Tensor, wanted_QD: torch.Tensor) -> tuple[float, float, float]:
    """Return precision, recall and F1 of unit vectors; 0 where a text has no token.

    Precision is the mean over the prediction's tokens of the largest cosine with a token of the
    reference, recall the same with the roles exchanged.
    """
    if not len(said_PD) or not len(wanted_QD):
        return 0.0, 0.0, 0.0
    cosine_PQ = said_PD @ wanted_QD.T
    precision = float(cosine_PQ.max(dim=1).values.mean())
    recall = float(cosine_PQ.max(dim=0).values.mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else 0.0


def _estimates(
    scores_S3: NDArray[np.float64], resamples: Resamples, version: str
) -> dict[str, Estimate]:
    names = ("precision", "recall", "f1")
    return {
        f"bertscore/{name}": resamples.mean(scores_S3[:, k], version)
        for k, name in enumerate(names)
    }
