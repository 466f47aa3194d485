"""The pretraining of a graph encoder, before anything is written: contrast and hidden atoms.

A molecule's embedding is to lie near its own caption's (`assay.captioning.contrast`), and hidden
atoms are to be told from the others (`assay.captioning.masking`). Both generators begin so.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from assay.captioning.contrast import Contrast
from assay.captioning.graphs import GraphBatch
from assay.captioning.masking import MaskedAttributes
from assay.captioning.subwords import TokenBatch

STAGE = "pretrain"


def pretraining_parts(
    contrast: Contrast,
    masking: MaskedAttributes | None,
    graphs: GraphBatch,
    record_ids: Tensor,
    words: TokenBatch,
    captions: Sequence[str],
) -> Mapping[str, Tensor]:
    """Return the parts of the stage's loss, which add up to it.

    Args:
        contrast: Of the encoder and a text encoder.
        masking: Of the encoder's width; None hides no atoms.
        graphs: B molecules.
        record_ids: (B,) int64.
        words: Their captions in the text encoder's subwords.
        captions: (B,) by which two that read alike are known to be no negatives.
    """
    parts = {"contrast": contrast(graphs, record_ids, words, captions)}
    if masking is not None:
        # As dropout draws: the loop sets torch's seed for each step. Looks see one masking.
        seed = torch.initial_seed() >> 1 if contrast.training else 0
        told = masking(contrast.graphs, graphs, record_ids, seed, 0).total
        parts["masking"] = masking.settings.weight * told
    return parts
