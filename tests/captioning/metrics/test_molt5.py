import pytest

from assay.captioning.metrics.molt5 import MolT5
from assay.captioning.metrics.resampling import Resamples
from assay.errors import DataError
from tests.captioning.metrics import lines

NAMES = [f"molt5/{name}" for name in ("bleu2", "bleu4", "meteor", "rouge1", "rouge2", "rougeL")]


def test_what_is_not_prepared_is_one_sentence_and_no_other_tokenizer(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.delenv("ASSAY_DATA", raising=False)

    with pytest.raises(DataError) as caught:
        MolT5()

    assert str(caught.value) == (
        "protocol molt5: caption-metrics: not prepared; run `assay data prepare caption-metrics`"
    )


def evaluated(molt5, tmp_path, *texts):
    pairs = lines.of(tmp_path, *(lines.line(*text) for text in texts))
    return molt5.evaluate(pairs, Resamples(len(pairs))).estimates


@pytest.mark.data
def test_the_tokens_are_those_of_transformers(molt5, caption_cache, real_lines):
    from transformers import BertTokenizerFast

    (vocabulary,) = caption_cache.glob("caption-metrics/*/vocab.txt")
    words = vocabulary.read_text(encoding="utf-8").splitlines()
    theirs = BertTokenizerFast(vocab={word: k for k, word in enumerate(words)})
    texts = [line[key] for line in real_lines for key in ("prediction", "reference")]
    texts += ["[CLS] é ü ß 日本\u200b\tx", "", "[SEP][PAD] α-D-gluco \U0001f600", "x " * 600]

    # The published environment cut at 512; `tokenize` of transformers 5 forgets to.
    marks = {"[PAD]", "[CLS]", "[SEP]"}
    expected = [
        [piece for piece in theirs.tokenize(text)[:512] if piece not in marks] for text in texts
    ]

    assert molt5._pieces.of(texts) == expected
    assert len(theirs) == 31_090


@pytest.mark.data
def test_identical_texts_score_1_but_for_meteor(molt5, tmp_path):
    """METEOR of n matching pieces in one chunk is 1 - 1/(2 n³)."""
    text = "The molecule is a phenol."
    found = evaluated(molt5, tmp_path, (text, text))

    assert list(found) == NAMES
    n = len(molt5._pieces.of([text])[0])
    assert found.pop("molt5/meteor").value == pytest.approx(1 - 0.5 / n**3)
    assert [each.value for each in found.values()] == pytest.approx([1.0] * 5)


@pytest.mark.data
def test_a_leading_mark_is_no_part_of_a_prediction(molt5, tmp_path):
    marked = evaluated(molt5, tmp_path, ("[CLS] It is a phenol.", "It is a nice phenol."))

    assert marked == evaluated(molt5, tmp_path, ("It is a phenol.", "It is a nice phenol."))


@pytest.mark.data
def test_an_empty_prediction_scores_0(molt5, tmp_path):
    text = "It is a phenol."
    whole, half = (
        evaluated(molt5, tmp_path, *texts)
        for texts in ([(text, text)] * 2, [(text, text), ("", text)])
    )

    for name in ("molt5/meteor", "molt5/rouge1", "molt5/rougeL"):
        assert half[name].value == pytest.approx(whole[name].value / 2)


@pytest.mark.data
def test_the_order_of_pairs_changes_nothing(molt5, tmp_path):
    texts = [("a phenol", "the phenol"), ("an ether", "an amine"), ("x y z", "x z y")]

    assert evaluated(molt5, tmp_path, *texts) == evaluated(molt5, tmp_path, *texts[::-1])
