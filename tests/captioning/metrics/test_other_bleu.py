import math

import pytest
import sacrebleu

from assay.captioning.metrics.other_bleu import SacreBLEU, Whitespace
from assay.captioning.metrics.resampling import Resamples
from tests.captioning.metrics import lines

TEXTS = [
    ("The molecule is a phenol.", "The molecule is a phenol that is aromatic."),
    ("", "It is an ether."),
    ("It is a member of pyridines, an amine.", "It is a member of pyridines and a nitrile."),
]


def found(protocol, tmp_path, texts=TEXTS):
    pairs = lines.of(tmp_path, *(lines.line(*text) for text in texts))
    return protocol.evaluate(pairs, Resamples(len(pairs))).estimates


def test_whitespace_by_hand(tmp_path):
    """4 of 5 words and 3 of 4 pairs match: `phenol.` is not `phenol`; 5 words against 8."""
    estimate = found(Whitespace(), tmp_path, TEXTS[:1])["whitespace/bleu2"]

    assert estimate.value == pytest.approx(math.exp(1 - 8 / 5) * math.sqrt(4 / 5 * 3 / 4))


def test_sacrebleu_is_the_packages_own_figure(tmp_path):
    hypotheses, references = zip(*TEXTS, strict=True)

    estimate = found(SacreBLEU(), tmp_path)["sacrebleu/bleu"]

    whole = sacrebleu.corpus_bleu(hypotheses, [references])
    assert estimate.value == pytest.approx(whole.score / 100, rel=1e-12)
    assert estimate.low < estimate.value < estimate.high


def test_the_version_of_sacrebleu_is_its_signature():
    version = SacreBLEU().version

    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in version


@pytest.mark.parametrize("protocol", [SacreBLEU, Whitespace])
def test_identical_texts_score_1(protocol, tmp_path):
    estimates = found(protocol(), tmp_path, [(text, text) for _, text in TEXTS])

    assert [each.value for each in estimates.values()] == pytest.approx([1.0] * len(estimates))


@pytest.mark.parametrize("protocol", [SacreBLEU, Whitespace])
def test_the_order_of_pairs_changes_nothing(protocol, tmp_path):
    assert found(protocol(), tmp_path) == found(protocol(), tmp_path, TEXTS[::-1])
