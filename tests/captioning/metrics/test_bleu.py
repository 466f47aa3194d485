import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.captioning.metrics import bleu

WORDS = st.lists(st.sampled_from("abcde"), max_size=9)


def corpus_bleu(hypotheses, references, order):
    sums = bleu.statistics(hypotheses, references).sum(axis=0, keepdims=True)
    return float(bleu.score(sums.astype(np.float64), order)[0])


def test_two_sentences_by_hand():
    """Six of seven words and three of five pairs of words match; 7 words against 8."""
    hypotheses = [["the", "cat", "sat"], ["a", "dog", "did", "run"]]
    references = [["the", "cat", "sat", "down"], ["dog", "did", "not", "run"]]
    expected = math.exp(1 - 8 / 7) * math.sqrt(6 / 7 * 3 / 5)

    assert corpus_bleu(hypotheses, references, 2) == pytest.approx(expected, rel=1e-12)


def test_a_word_counts_no_more_often_than_the_reference_has_it():
    """Papineni's example: of seven times `the` two count."""
    row = bleu.statistics([["the"] * 7], [["the", "cat", "the", "mat"]])[0]

    assert row[0] == 2
    assert row[4] == 7


def test_a_longer_prediction_is_not_penalised_for_its_length():
    assert corpus_bleu([list("abcdx")], [list("abcd")], 2) == pytest.approx(
        math.sqrt(4 / 5 * 3 / 4)
    )


@pytest.mark.parametrize("hypothesis", [[], ["x"], ["a"], list("xyz")])
def test_without_a_match_in_some_order_it_is_0(hypothesis):
    assert corpus_bleu([hypothesis], [list("abcd")], 4) == 0.0


def test_identical_texts_score_1():
    texts = [list("abcde"), list("edcba")]
    assert corpus_bleu(texts, texts, 4) == pytest.approx(1.0)


@given(st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning:nltk")
def test_it_is_nltks_corpus_bleu(pairs):
    from nltk.translate.bleu_score import corpus_bleu as nltk_bleu

    hypotheses, references = map(list, zip(*pairs, strict=True))
    for order in (2, 4):
        wanted = nltk_bleu([[each] for each in references], hypotheses, [1 / order] * order)
        # NLTK takes 2e-308 for no match, which a root makes visible: up to 1e-77.
        found = corpus_bleu(hypotheses, references, order)
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-70)
