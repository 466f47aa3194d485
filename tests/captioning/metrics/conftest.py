"""The assets and real captions that several tests share."""

import gzip
import json

import nltk.data
import pytest
import torch

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "phenol"]


@pytest.fixture(scope="session")
def caption_cache(assay_data, tmp_path_factory):
    """A cache with the prepared vocabulary and WordNet."""
    from assay.store import assets

    cache = tmp_path_factory.mktemp("caption-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        assets.prepare("caption-metrics")
    return cache


@pytest.fixture(scope="session")
def molt5(caption_cache):
    """The protocol, set up once, while NLTK may look for no corpus and fetch none."""
    from assay.captioning.metrics.molt5 import MolT5

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(caption_cache))
        patch.delenv("ASSAY_DATA", raising=False)
        patch.setattr(nltk.data, "find", refuse)
        return MolT5()


def refuse(*words, **more):
    """Stand in for NLTK's search."""
    raise AssertionError("NLTK looked for a corpus")


@pytest.fixture(scope="session")
def real_lines(assay_data):
    """The first 300 predictions that MolT5 released, with references and SMILES."""
    path = assay_data / "caption_metrics" / "predictions_molt5-base.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(next(file)) for _ in range(300)]


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A BERT of two layers, eight numbers a token and nine words."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert") / "tiny"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=10,
    )
    BertModel(config).save_pretrained(folder)
    words = {word: place for place, word in enumerate(VOCABULARY)}
    BertTokenizerFast(vocab=words, model_max_length=10).save_pretrained(folder)
    return folder
