import numpy as np
import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from assay.captioning import neighbours as module
from assay.captioning.generator import Corpus
from assay.captioning.neighbours import NeighbourTexts, neighbours
from assay.errors import ConfigError
from tests.captioning.bridge.small import Few

SMILES = ["CCO", "OCC", "CCCO", "CCCCO", "c1ccccc1O", "CCCCCN"]
CAPTIONS = ["It is ethanol.", "An alcohol.", "It is ethanol.", "Butanol.", "Phenol.", "An amine."]
MAY_BE_SHOWN = {0: [3, 4, 5], 1: [2, 3, 4, 5], 2: [1, 3, 4, 5], 3: [0, 1, 2, 4, 5]}
"""Of ethanol neither the molecule, however it is written, nor the text, whatever it is said of."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))


@pytest.fixture
def few():
    return Few(SMILES, CAPTIONS)


def by_rdkit(place, among):
    prints = [
        GetMorganGenerator(radius=2, fpSize=2048).GetFingerprint(Chem.MolFromSmiles(one))
        for one in SMILES
    ]
    alike = DataStructs.BulkTanimotoSimilarity(prints[place], [prints[k] for k in among])
    return [among[k] for k in np.argsort(-np.array(alike), kind="stable")]


@pytest.mark.parametrize("count", [1, 2])
def test_a_training_record_is_shown_neither_its_molecule_nor_its_text(few, count):
    found = neighbours(few, Corpus.of(few), count)

    for place, among in MAY_BE_SHOWN.items():
        assert found[place].tolist() == by_rdkit(place, among)[:count]


def test_records_that_are_not_trained_on_are_shown_the_nearest_of_all(few):
    corpus = Corpus(SMILES, CAPTIONS, ids=())

    found = neighbours(few, corpus, 1)[:, 0]

    assert found.tolist() == [0, 0, 2, 3, 4, 5]  # of equals the first


def test_what_they_are_to_say_decides_nothing(few):
    asked, corpus = Few(SMILES, ["?"] * len(SMILES)), Corpus(SMILES, CAPTIONS, ids=())

    assert np.array_equal(neighbours(asked, corpus, 2), neighbours(few, corpus, 2))


def test_they_are_found_once_and_again_where_the_pool_is_another(few, monkeypatch):
    found, searches = neighbours(few, Corpus.of(few), 1), []
    search = module._found
    monkeypatch.setattr(module, "_found", lambda *given: searches.append(1) or search(*given))

    assert np.array_equal(neighbours(few, Corpus.of(few), 1), found)
    assert searches == []
    neighbours(few, Corpus(SMILES[:4], CAPTIONS[:4], ids=Corpus.of(few).ids[:4]), 1)
    assert searches == [1]


def test_more_than_there_are_others_is_one_sentence(few):
    with pytest.raises(ConfigError, match=r"neighbours 4: a training record has fewer others"):
        neighbours(few, Corpus.of(few), 4)


def test_a_batch_has_the_texts_of_the_neighbours_the_nearest_first(few):
    tokens_P = [[10 + k] * (k + 1) for k in range(len(SMILES))]
    texts = NeighbourTexts(few, Corpus.of(few), 2, tokens_P)

    batch = texts.batch(np.array([3, 0]), padding=0, multiple=8)

    assert batch.tokens_BNT.shape == (2, 2, 8)
    for row, place in enumerate((3, 0)):
        for rank, neighbour in enumerate(by_rdkit(place, MAY_BE_SHOWN[place])[:2]):
            shown = batch.tokens_BNT[row, rank][batch.mask_BNT[row, rank]]
            assert shown.tolist() == tokens_P[neighbour]
    assert not batch.tokens_BNT[~batch.mask_BNT].any()
    assert torch.equal(batch.n_tokens_BN, batch.mask_BNT.sum(2))
