"""A corpus of a few molecules whose groups their captions name, and bridges small enough to try."""

import numpy as np
import pytest
import torch

from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.data.captions import CaptionBatch
from assay.captioning.data.mini_captions import enumerate_smiles
from assay.captioning.data.mini_wording import describe
from assay.captioning.generator import Corpus
from assay.captioning.graphs import Graphs
from assay.captioning.solid_bridge import SolidBridge

pytest.importorskip("transformers")
pytest.importorskip("peft")


class Few:
    """Records of a few molecules, as a split of a packed set hands them out."""

    lengths = None

    def __init__(self, smiles, captions, first=0):
        self.smiles, self.captions, self.first = smiles, captions, first
        self.graphs = Graphs.of(smiles)

    def __len__(self):
        return len(self.smiles)

    def batch(self, indices):
        return CaptionBatch(
            torch.from_numpy(np.asarray(indices)) + self.first,
            self.graphs.batch(indices),
            tuple(self.smiles[i] for i in indices),
            tuple(self.captions[i] for i in indices),
        )


SMALL = {
    "encoder": {"size": "xs", "outputs": 32},
    "contrast": {"width": 32, "vocabulary": 300},
    "projector_width": 48,
    "context": 256,
    "decoding": {"most_tokens": 12},
}
TINY = {"width": 32, "depth": 2, "heads": 2, "vocabulary": 400}


def settings_of(**changes):
    given = {**SMALL, **changes}
    if "language_model" not in given:
        given.setdefault("scratch", TINY)
    return BridgeSettings.model_validate(given)


@pytest.fixture(scope="session")
def few():
    smiles = enumerate_smiles()[::9]
    return Few(smiles, [describe(one) for one in smiles])


@pytest.fixture(scope="session")
def made(few):
    """Return a generator, its training records and its model, for changed settings."""

    def make(seed=0, **changes):
        torch.manual_seed(seed)
        generator = SolidBridge(settings_of(**changes), seed, Corpus(few.smiles, few.captions))
        train = generator.records(few)
        model = generator.model()
        return generator, train, model, {s.name: s for s in generator.stages(train)}

    return make


@pytest.fixture(scope="session")
def folder(tmp_path_factory, few):
    """A tiny Qwen3 with random weights and its tokenizer, which knows <think>, as files."""
    from assay.captioning.bridge.language import language_of, tokenizer_of

    settings = settings_of()
    tokenizer = tokenizer_of(settings, few.smiles, few.captions)
    tokenizer.add_tokens(["<think>", "</think>"])
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("qwen3-tiny")
    language_of(settings, tokenizer).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
