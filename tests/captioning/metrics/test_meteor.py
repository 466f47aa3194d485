"""METEOR with remembered stems and synonyms is NLTK's own, on real captions, to the last bit."""

import nltk.data
import pytest
from nltk.translate.meteor_score import meteor_score

from assay.captioning.metrics.meteor import Meteor

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def wordnet(caption_cache):
    (folder,) = (each for each in caption_cache.glob("caption-metrics/*") if each.is_dir())
    return folder


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


def test_nltk_looks_for_no_other_wordnet(wordnet, monkeypatch):
    def refuse(*words, **more):
        raise AssertionError("NLTK looked for a corpus")

    monkeypatch.setattr(nltk.data, "find", refuse)

    assert Meteor(wordnet).score(["car"], ["auto"]) > 0
