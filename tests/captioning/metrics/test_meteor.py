"""METEOR with remembered stems and synonyms is NLTK's own, on real captions, to the last bit."""

import nltk.data
import pytest
from nltk.translate.meteor_score import meteor_score

from tests.captioning.metrics.conftest import refuse

pytestmark = pytest.mark.data


def test_it_is_nltks_meteor_on_300_pairs(molt5, real_lines):
    reader = molt5._meteor._synonyms._reader
    hypotheses = molt5._pieces.of([line["prediction"] for line in real_lines])
    references = molt5._pieces.of([line["reference"] for line in real_lines])

    for hypothesis, reference in zip(hypotheses, references, strict=True):
        wanted = meteor_score([reference], hypothesis, wordnet=reader)
        assert molt5._meteor.score(hypothesis, reference) == wanted


def test_stems_and_synonyms_match(molt5):
    """One chunk of two: `acids` has the stem of `acid`, `car` the synonym `auto`."""
    assert molt5._meteor.score(["acids", "car"], ["acid", "auto"]) == pytest.approx(1 - 0.5 / 8)
    assert molt5._meteor.score(["acids"], ["phenol"]) == 0.0


def test_nltk_looks_for_no_corpus(molt5, monkeypatch):
    """Nor does it while the protocol is set up, see the fixture."""
    monkeypatch.setattr(nltk.data, "find", refuse)

    assert molt5._meteor.score(["car"], ["auto"]) > 0
