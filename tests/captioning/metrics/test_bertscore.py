import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from assay.captioning.metrics.bertscore import BERTScore, greedy_match
from assay.captioning.metrics.resampling import Resamples
from assay.errors import DataError
from tests.captioning.metrics import lines
from tests.captioning.metrics.conftest import VOCABULARY


def scores(folder, tmp_path, *texts):
    pairs = lines.of(tmp_path, *(lines.line(*text) for text in texts))
    return BERTScore(folder).evaluate(pairs, Resamples(len(pairs)))


def test_greedy_matching_by_hand():
    """East and north-east against north and east: the best cosines are 1 and √½, and √½ and 1."""
    half = math.sqrt(0.5)
    said = torch.tensor([[1.0, 0.0], [half, half]])
    wanted = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])

    precision, recall, f1 = greedy_match(said, wanted)

    assert precision == pytest.approx((1 + half) / 2)
    assert recall == pytest.approx((half + 1 - half) / 3)
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_text_without_tokens_scores_0():
    assert greedy_match(torch.zeros(0, 4), torch.ones(1, 4)) == (0.0, 0.0, 0.0)


def test_identical_texts_score_1(tiny_bert, tmp_path):
    found = scores(tiny_bert, tmp_path, ("a phenol", "a phenol"), ("b c", "b c")).estimates

    assert [each.value for each in found.values()] == pytest.approx([1.0] * 3, abs=1e-6)


def test_it_is_the_greedy_match_of_the_models_last_hidden_states(tiny_bert, tmp_path):
    """One text at a time, without padding, by the model itself."""
    model = BertModel.from_pretrained(tiny_bert).eval()

    def unit(*words):
        ids = torch.tensor([[2, *map(VOCABULARY.index, words), 3]])
        with torch.inference_mode():
            hidden = model(ids).last_hidden_state[0, 1:-1]
        return hidden / hidden.norm(dim=-1, keepdim=True)

    precision, recall, f1 = greedy_match(unit("a", "phenol"), unit("c", "b", "a"))

    found = scores(tiny_bert, tmp_path, ("a phenol", "c b a")).estimates
    assert found["bertscore/precision"].value == pytest.approx(precision, abs=1e-6)
    assert found["bertscore/recall"].value == pytest.approx(recall, abs=1e-6)
    assert found["bertscore/f1"].value == pytest.approx(f1, abs=1e-6)


def test_padding_changes_nothing(tiny_bert, tmp_path):
    alone = scores(tiny_bert, tmp_path, ("a", "b")).estimates["bertscore/f1"].value
    longer = scores(tiny_bert, tmp_path, ("a", "b"), ("a b c a", "a b c a b"))

    other = scores(tiny_bert, tmp_path, ("a b c a", "a b c a b")).estimates["bertscore/f1"].value
    assert longer.estimates["bertscore/f1"].value == pytest.approx((alone + other) / 2, abs=1e-6)


def test_an_empty_prediction_scores_0(tiny_bert, tmp_path):
    found = scores(tiny_bert, tmp_path, ("", "a"), ("a", "a")).estimates

    assert found["bertscore/f1"].value == pytest.approx(0.5, abs=1e-6)


def test_the_version_names_the_model_and_all_that_its_numbers_depend_on(tiny_bert, tmp_path):
    version = BERTScore(tiny_bert).version
    shutil.copytree(tiny_bert, tmp_path / "tiny")
    same = BERTScore(tmp_path / "tiny").version
    tokenizer = tmp_path / "tiny" / "tokenizer_config.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text()) | {"model_max_length": 8}))

    assert version.startswith("1 tiny ")
    assert same == version
    assert BERTScore(tmp_path / "tiny").version != version


def test_a_pair_scores_alike_whichever_block_it_is_in(tiny_bert, tmp_path):
    protocol = BERTScore(tiny_bert)
    texts = [(" ".join("abc"[: 1 + k % 3]), " ".join("cab"[k % 2 :])) for k in range(40)]

    def f1(*some):
        pairs = lines.of(tmp_path, *(lines.line(*text) for text in some))
        return protocol.evaluate(pairs, Resamples(len(pairs))).estimates["bertscore/f1"].value

    each = [f1(pair) for pair in texts]

    assert f1(*texts) == pytest.approx(np.mean(each), abs=1e-6)
    assert len(set(each)) > 3


def test_weights_of_half_precision_are_calculated_with_in_full(tiny_bert, tmp_path):
    shutil.copytree(tiny_bert, tmp_path / "half")
    BertModel.from_pretrained(tiny_bert).half().save_pretrained(tmp_path / "half")

    assert BERTScore(tmp_path / "half")._model.dtype == torch.float32


def test_code_that_comes_with_a_model_is_never_run(tiny_bert, tmp_path, monkeypatch):
    """Not even where the question whether to run it would be answered with yes."""
    folder = tmp_path / "own"
    shutil.copytree(tiny_bert, folder)
    config = json.loads((folder / "config.json").read_text()) | {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        f"open({str(tmp_path / 'run')!r}, 'w')\n"
        "from transformers import BertConfig as Config, BertModel as Model\n"
    )
    monkeypatch.setattr("builtins.input", lambda question="": "y")

    with pytest.raises(DataError, match="holds no model for text"):
        BERTScore(folder)
    assert not (tmp_path / "run").exists()


def test_a_text_longer_than_the_model_reads_is_cut_and_said_so(tiny_bert, tmp_path):
    found = scores(tiny_bert, tmp_path, ("a b c a b c a b c a b", "a b c a b c a b"))

    assert found.remarks == ("bertscore: 1 texts are longer than the model reads; cut",)


def test_weights_that_would_be_unpickled_are_refused(tiny_bert, tmp_path):
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in tiny_bert.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    torch.save(BertModel.from_pretrained(tiny_bert).state_dict(), folder / "pytorch_model.bin")

    with pytest.raises(DataError, match="holds no model for text"):
        BERTScore(folder)


def test_weights_that_lack_some_are_refused(tiny_bert, tmp_path):
    """Transformers would draw them at random, and warn."""
    folder = tmp_path / "half"
    shutil.copytree(tiny_bert, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(DataError, match=r"weights lack encoder\.layer\.1\.output\.dense\.weight"):
        BERTScore(folder)


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        BERTScore(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no model for text"):
        BERTScore(tmp_path)
