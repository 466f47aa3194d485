import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator, GetRDKitFPGenerator

from assay.captioning.fingerprints import BITS, Fingerprints, tanimoto
from assay.captioning.retrieval import (
    Neighbours,
    cosine,
    hybrid,
    mean_reciprocal_rank,
    nearest,
    nearest_captions,
    ranks,
    recall_at_k,
    search,
    top_k,
)
from assay.errors import ConfigError, DataError
from assay.statistics.intervals import wilson
from tests.captioning.test_graphs import SAMPLE

REFERENCE = {
    "morgan": GetMorganGenerator(radius=2, fpSize=2048),
    "morgan_chiral": GetMorganGenerator(radius=2, fpSize=2048, includeChirality=True),
    "morgan_count": GetMorganGenerator(radius=2, fpSize=2048, countSimulation=True),
    "rdkit": GetRDKitFPGenerator(fpSize=2048),
}


@pytest.mark.parametrize("kind", REFERENCE)
def test_similarities_are_those_of_rdkit(kind):
    bits = [REFERENCE[kind].GetFingerprint(Chem.MolFromSmiles(one)) for one in SAMPLE]
    expected = [DataStructs.BulkTanimotoSimilarity(one, bits) for one in bits]
    prints = Fingerprints.of(SAMPLE, kind)

    np.testing.assert_allclose(tanimoto(prints, prints), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "told_apart"), [("morgan", False), ("morgan_chiral", True), ("rdkit", False)]
)
def test_only_chiral_fingerprints_tell_enantiomers_apart(kind, told_apart):
    one, other = Fingerprints.of(["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"], kind).words_MW

    assert (not np.array_equal(one, other)) is told_apart


def test_counts_tell_chains_apart_that_bits_do_not():
    chains = ["C" * 12, "C" * 16]

    assert tanimoto(*[Fingerprints.of([one]) for one in chains]) == 1
    assert tanimoto(*[Fingerprints.of([one], "morgan_count") for one in chains]) < 1


def test_the_nearest_caption_is_that_of_the_most_similar_molecule():
    pool = ["c1ccccc1", "CCO", "CC(=O)O"]

    found = nearest_captions(["CCCO", "c1ccccc1C"], pool, ["ring", "alcohol", "acid"])

    assert found == ["alcohol", "ring"]


def test_what_does_not_parse_is_named():
    with pytest.raises(DataError, match="'C1CC', molecule 2: does not parse"):
        Fingerprints.of(["C", "C1CC"])


def test_ties_go_to_the_lowest_place():
    similarity_QP = np.array([[0.5, 0.9, 0.9, 0.5, 0.9], [0.0, 0.0, 0.0, 0.0, 0.0]], np.float32)

    assert top_k(similarity_QP, 1).places_QK.tolist() == [[1], [0]]
    assert top_k(similarity_QP, 2).places_QK.tolist() == [[1, 2], [0, 1]]
    assert top_k(similarity_QP, 4).places_QK.tolist() == [[1, 2, 4, 0], [0, 1, 2, 3]]
    assert top_k(similarity_QP, 4).similarity_QK[0].tolist() == pytest.approx([0.9, 0.9, 0.9, 0.5])


def test_equal_fractions_of_different_counts_are_ties():
    """One bit of two, and two bits of four."""
    bits_MB = np.zeros((3, 64), np.uint8)
    bits_MB[0, :2] = bits_MB[1, 0] = bits_MB[2, :4] = 1
    asked, first, second = (Fingerprints.of_bits(bits_MB[[k]]) for k in range(3))

    assert tanimoto(asked, first) == tanimoto(asked, second) == 0.5


@pytest.mark.parametrize("k", [1, 7])
def test_searching_in_blocks_is_sorting_everything(k):
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 2, (700, BITS // 32), dtype=np.uint8)
    asked, pool = Fingerprints.of_bits(bits[:600]), Fingerprints.of_bits(bits[600:])
    similarity_QP = tanimoto(asked, pool)
    order_QP = np.argsort(-similarity_QP, axis=1, kind="stable")

    assert np.array_equal(nearest(asked, pool, k).places_QK, order_QP[:, :k])


def test_cosine_of_embeddings_and_of_nothing():
    asked, pool = np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [-3.0, 0.0]])

    assert cosine(asked, pool).tolist() == [pytest.approx([0.5**0.5, -1.0]), [0.0, 0.0]]


def test_a_hybrid_weighs_two_similarities():
    first, second = np.float32([[1.0, 0.0]]), np.float32([[0.0, 0.5]])

    assert hybrid(first, second, 0.25).tolist() == [[0.75, 0.125]]
    assert np.array_equal(hybrid(first, second, 0.0), first)
    with pytest.raises(ConfigError, match=r"the weight of a hybrid is 1\.5"):
        hybrid(first, second, 1.5)


def test_a_rank_counts_those_that_are_as_similar():
    similarity_QP = np.float32([[0.9, 0.5, 0.1], [0.5, 0.5, 0.1], [0.2, 0.3, 0.1], [np.nan] * 3])
    targets_Q = np.array([0, 1, 2, 0])

    assert ranks(lambda rows: similarity_QP[rows], targets_Q).tolist() == [1, 2, 3, 3]


def test_a_model_that_scores_all_alike_finds_nothing():
    found = ranks(lambda rows: np.zeros((4, 10), np.float32)[rows], np.arange(4))

    assert found.tolist() == [10] * 4
    assert recall_at_k(found, 1).value == 0


def test_reciprocal_ranks_and_recall_by_hand():
    ranks_Q = np.array([1, 2, 4, 1])

    assert mean_reciprocal_rank(ranks_Q).value == pytest.approx((1 + 0.5 + 0.25 + 1) / 4)
    assert recall_at_k(ranks_Q, 1).value == 0.5
    assert recall_at_k(ranks_Q, 3).value == 0.75
    assert recall_at_k(ranks_Q, 3).n == 4
    assert 0 < recall_at_k(ranks_Q, 1).low < 0.5 < recall_at_k(ranks_Q, 1).high < 1
    assert mean_reciprocal_rank(ranks_Q).low < mean_reciprocal_rank(ranks_Q).value


def test_ranks_that_are_all_alike_are_no_certainty():
    found = mean_reciprocal_rank(np.ones(20, np.int64))

    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(wilson(20, 20)[0])


def test_ranks_in_blocks_are_those_of_the_whole():
    similarity_QP = np.random.default_rng(0).normal(size=(600, 600)).astype(np.float32)
    own = similarity_QP.diagonal()[:, None]

    found = ranks(lambda rows: similarity_QP[rows], np.arange(600))

    assert np.array_equal(found, (similarity_QP >= own).sum(axis=1))


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbours_than_there_are_is_refused(k):
    with pytest.raises(ConfigError, match=f"{k} neighbours of a pool of 3; ask for 1 … 3"):
        top_k(np.zeros((1, 3), np.float32), k)


@pytest.mark.parametrize("k", [1, 2])
def test_embeddings_that_are_not_finite_have_no_neighbours(k):
    broken = np.float32([[np.nan, 1.0], [0.0, 1.0]])

    with pytest.raises(DataError, match="a similarity is not a number"):
        search(2, lambda rows: cosine(broken[rows], broken), k)


def test_nobody_asks():
    found = search(0, lambda rows: np.zeros((0, 3), np.float32), 2)

    assert isinstance(found, Neighbours)
    assert found.places_QK.shape == (0, 2)
