"""The mini set of planets, made once, and what models need of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from assay.habitability.data.batches import MultiModalBatch, PlanetRecords, splits
from assay.habitability.data.mini_planets import PHYSICS
from assay.habitability.data.population import draw_known, dress
from assay.habitability.data.samples import pathways_in, planets_of
from assay.habitability.data.worlds import Worlds, worlds_of
from assay.habitability.targets import Averages
from assay.pathways.corpus import Corpus
from assay.pathways.data.mini_pathways import enumerate_pathways
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.pathways.graphs import PathwayGraphs, pack
from assay.store import sets
from assay.store.packed import PackedSet
from tests.captioning.saved import save_tokenizer


@pytest.fixture(scope="session")
def prepared_planets(tmp_path_factory) -> Path:
    """A cache that holds the mini set of planets."""
    cache = tmp_path_factory.mktemp("planets-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        patch.delenv("ASSAY_DATA", raising=False)
        sets.prepare("mini_planets")
    return cache


@pytest.fixture(scope="session")
def planets(prepared_planets) -> PackedSet:
    """The mini set, packed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_planets))
        patch.delenv("ASSAY_DATA", raising=False)
        return planets_of(sets.open_set("mini_planets"))


@pytest.fixture
def cached_planets(prepared_planets, monkeypatch) -> Path:
    """The mini set of planets as the prepared data set of this test."""
    monkeypatch.setenv("ASSAY_CACHE", str(prepared_planets))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return prepared_planets


@pytest.fixture(scope="session")
def worlds() -> Worlds:
    """Sixty drawn planets with their climates, to be composed with guests."""
    known = draw_known(np.random.default_rng(23), 60)
    return worlds_of(dress(known, 1, 23), PHYSICS, lambda phase, fraction: None)


@pytest.fixture(scope="session")
def networks() -> PathwayGraphs:
    """The rule-made ones."""
    return pack(enumerate_pathways())


@pytest.fixture(scope="session")
def corpus(planets) -> Corpus:
    """Of the training networks."""
    inside = pathways_in(planets)
    return Corpus.of(graphs_of(inside).of_split("train"), compounds_of(inside))


@pytest.fixture(scope="session")
def averages(planets, corpus) -> Averages:
    """Of the training planets."""
    return Averages.of(splits(planets).train, corpus)


@pytest.fixture(scope="session")
def batch(planets) -> MultiModalBatch:
    """Eight training planets; each modality is missing from some, and there from most."""
    train = splits(planets).train
    presence = planets.arrays["presence"][train.records]
    lacking = np.array([np.flatnonzero(~presence[:, m])[0] for m in range(presence.shape[1])])
    whole = np.flatnonzero(presence.all(1))
    chosen = np.concatenate([np.unique(lacking), whole])[:8]
    return train.batch(chosen)


@pytest.fixture
def cube():
    """A cube that nothing is wrong with: an Earth of 280 K everywhere."""
    one = np.empty((18, 12, 12, 5), np.float32)
    one[:] = (280.0, 240.0, 240.0, 0.1, 5500.0)
    return one


@pytest.fixture(scope="session")
def folder(planets, tmp_path_factory) -> Path:
    """A tiny Qwen3 of random weights, with a tokenizer of the descriptions' words."""
    pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("qwen3")
    texts = PlanetRecords(planets, planets.split_indices("train"))._texts
    _, words = save_tokenizer(path, list(texts))
    config = transformers.Qwen3Config(
        vocab_size=words, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=512,
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.Qwen3ForCausalLM(config).save_pretrained(path)
    return path
