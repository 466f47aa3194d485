import numpy as np
import pytest
import torch

from assay.captioning.baselines import (
    MostCommon,
    RandomCaption,
    Retrieval,
    RetrievalChEBI20,
    RetrievalReranked,
    RetrievalSettings,
    central,
)
from assay.captioning.data.captions import captions_of, splits
from assay.captioning.fingerprints import Fingerprints
from assay.captioning.generator import Corpus
from assay.captioning.reranking import most_consistent
from assay.captioning.retrieval import nearest, nearest_captions
from assay.errors import ConfigError
from assay.store import sets
from tests.captioning.bridge.small import Few

MODEL = torch.nn.Module()
SILENT = lambda phase, done: None  # noqa: E731
FIRST = np.arange(20)


@pytest.fixture
def data(mini_captions):
    return splits(captions_of(sets.open_set("mini_captions")))


@pytest.fixture
def corpus(data):
    return Corpus.of(data.train)


def made(kind, corpus, seed=0, **settings):
    return kind(kind.Settings.model_validate(settings), seed, corpus)


def test_a_corpus_is_the_training_split_in_its_order(data, corpus):
    assert corpus.smiles == data.train.smiles
    assert corpus.captions == data.train.captions


@pytest.mark.parametrize("kind", ["morgan", "rdkit"])
def test_retrieval_is_the_caption_of_the_nearest(data, corpus, kind):
    found = made(Retrieval, corpus, fingerprint=kind).captions(MODEL, data.test, FIRST, SILENT)

    asked = data.test.smiles[:20]
    assert found == nearest_captions(asked, corpus.smiles, corpus.captions, kind)


def test_several_neighbours_are_asked_what_they_agree_on(data, corpus):
    one, five = (
        made(Retrieval, corpus, k=k).captions(MODEL, data.test, FIRST, SILENT) for k in (1, 5)
    )

    assert one != five
    assert set(five) <= set(corpus.captions)


def test_of_several_the_one_is_said_whose_claims_fit_the_graph(data, corpus):
    found, first = (
        made(kind, corpus).captions(MODEL, data.test, FIRST, SILENT)
        for kind in (RetrievalReranked, Retrieval)
    )

    asked = data.test.smiles[:20]
    near = nearest(Fingerprints.of(asked), Fingerprints.of(corpus.smiles), 3)
    texts = [corpus.captions[place] for place in near.places_QK.flatten().tolist()]
    assert found == most_consistent(texts, asked) != first


def test_captions_of_other_sets_than_chebi20_are_left_out(corpus):
    """captions_pool numbers these below 0, as `assay.captioning.data.chebi20_files` does."""
    pool = Corpus(
        ["CCO", "CCCO", "c1ccccc1"], ["ethanol", "propanol", "ring"], [0, 1, 2], [-1, 5, 7]
    )
    asked = Few(["CCO"], ["?"])

    whole, own = (
        made(kind, pool).captions(MODEL, asked, np.arange(1), SILENT)
        for kind in (Retrieval, RetrievalChEBI20)
    )

    assert (whole, own) == (["ethanol"], ["propanol"])
    with pytest.raises(ConfigError, match="no further captions here to leave out"):
        made(RetrievalChEBI20, corpus)


def test_cells_of_before_keep_their_keys():
    assert RetrievalSettings().model_dump(mode="json") == {"fingerprint": "morgan", "k": 1}


def test_one_neighbour_leaves_groups_nothing_to_choose():
    with pytest.raises(ValueError, match="among the k nearest; give a k of 2 or more"):
        RetrievalSettings(choice="groups")


def test_more_neighbours_than_there_are_molecules_are_refused(data, corpus):
    small = Corpus(corpus.smiles[:3], corpus.captions[:3])

    with pytest.raises(ConfigError, match="4 neighbours of a pool of 3"):
        made(Retrieval, small, k=4).captions(MODEL, data.test, FIRST, SILENT)


def test_the_central_caption_shares_most_words_with_the_others():
    assert central(["an acid", "a red acid", "a red base", "a red acid dye"]) == "a red acid"
    assert central(["one", "two"]) == "one", "of equal ones the nearest"


def test_random_captions_are_of_the_seed_and_of_the_record(data, corpus):
    generator = made(RandomCaption, corpus)
    found = generator.captions(MODEL, data.test, FIRST, SILENT)

    assert generator.captions(MODEL, data.test, FIRST[::-1], SILENT) == found[::-1]
    assert made(RandomCaption, corpus, seed=1).captions(MODEL, data.test, FIRST, SILENT) != found
    assert set(found) <= set(corpus.captions)
    assert len(set(found)) > 10


def test_the_most_common_caption_is_the_same_for_all(data):
    generator = made(MostCommon, Corpus(["C"] * 4, ["a", "b", "b", "c"]))

    assert generator.captions(MODEL, data.test, np.arange(3), SILENT) == ["b", "b", "b"]
