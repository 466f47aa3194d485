import pytest

from assay.captioning.metrics.evaluate import evaluate_captions
from assay.captioning.metrics.llamo import LLaMo
from assay.captioning.metrics.resampling import Resamples
from assay.errors import ConfigError, DataError
from tests.captioning.metrics import lines
from tests.captioning.saved import save_tokenizer

SAID = "It is a phenol and an acid ."
WANTED = "It is a phenol and a strong acid ."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return save_tokenizer(tmp_path_factory.mktemp("words"), [SAID, WANTED])[0]


@pytest.mark.data
def test_figures_are_those_of_nltk_on_the_tokens(tokenizer, caption_cache, monkeypatch, tmp_path):
    from nltk.translate.bleu_score import corpus_bleu

    monkeypatch.setenv("ASSAY_CACHE", str(caption_cache))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    pairs = lines.of(tmp_path, lines.line(SAID, WANTED), lines.line(WANTED, WANTED))
    protocol = LLaMo(tokenizer)

    found = protocol.evaluate(pairs, Resamples(len(pairs))).estimates

    said, wanted = ([t.split() for t in texts] for texts in (pairs.predictions, pairs.references))
    for order in (2, 4):
        expected = corpus_bleu([[each] for each in wanted], said, weights=[1 / order] * order)
        assert found[f"llamo/bleu{order}"].value == pytest.approx(expected)
    assert 0.5 < found["llamo/meteor"].value < 1
    assert protocol.version.startswith(f"1 {tokenizer.name} ")


def test_without_a_tokenizer_it_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prediction": "a", "reference": "b"}\n')

    with pytest.raises(ConfigError, match="llamo: needs a tokenizer; give its folder with --llamo"):
        evaluate_captions(path, ["llamo"])


@pytest.mark.data
def test_a_folder_without_one_is_one_sentence(caption_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_CACHE", str(caption_cache))
    monkeypatch.delenv("ASSAY_DATA", raising=False)

    with pytest.raises(DataError, match="holds no tokenizer"):
        LLaMo(tmp_path)


def test_what_is_not_prepared_is_one_sentence(tmp_path, monkeypatch, tokenizer):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.delenv("ASSAY_DATA", raising=False)

    with pytest.raises(DataError, match=r"protocol llamo: .*assay data prepare caption-metrics"):
        LLaMo(tokenizer)
