"""ChemBERTa's class of model, small and untrained."""

import logging

import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.interactions.features import chemberta as module
from assay.interactions.features import structures
from assay.interactions.features.chemberta import chemberta
from assay.interactions.settings import ChembertaSettings
from assay.store.pretrained import model_digest

transformers = pytest.importorskip("transformers")

SMILES = ["CCO", "", "c1ccccc1", "CC(=O)O", "C" * 60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A RoBERTa over characters, two layers of 16, of at most 30 tokens."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    path = tmp_path_factory.mktemp("model")
    words = ["<s>", "<pad>", "</s>", "<unk>", *"CcONn1()="]
    tokenizer = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=30
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, pad_token_id=1,
    )  # fmt: skip
    transformers.RobertaModel(config, add_pooling_layer=False).save_pretrained(path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    structures._read.cache_clear()


def settings(folder, **changes):
    return ChembertaSettings(model=str(folder), **changes)


def alone(folder, text):
    """The states of one text, without a batch around it."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.RobertaModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()


@pytest.mark.parametrize(
    ("pooling", "pooled"), [("cls", lambda h: h[0]), ("mean", lambda h: h.mean(0))]
)
def test_a_text_has_the_same_embedding_in_a_batch_as_alone(folder, pooling, pooled, monkeypatch):
    monkeypatch.setattr(module, "_TEXTS", 2)

    found = chemberta(SMILES, settings(folder, pooling=pooling))

    assert found.mask_V.tolist() == [True, False, True, True, True]
    assert not found.x_VF[1].any()
    for node in (0, 2, 3):
        expected = pooled(alone(folder, SMILES[node]))
        np.testing.assert_allclose(found.x_VF[node], expected, rtol=1e-4, atol=1e-5)


def test_what_is_no_structure_is_unknown_though_its_text_has_tokens(folder, caplog):
    given = ["CCO", "C1CC", "c1ccccc1"]
    kept = chemberta(["CCO", "", "c1ccccc1"], settings(folder))

    with caplog.at_level(logging.WARNING):
        found = chemberta(given, settings(folder))

    assert found.mask_V.tolist() == [True, False, True]
    assert np.array_equal(found.x_VF, kept.x_VF)
    assert "1 structures do not parse and count as unknown: nodes 1 (C1CC)" in caplog.text


def test_long_structures_are_cut_and_counted(folder, caplog):
    with caplog.at_level(logging.WARNING):
        chemberta(SMILES, settings(folder))

    assert "1 structures have more than 30 tokens: their ends are cut" in caplog.text


def test_the_weights_are_asked_once_and_again_when_they_change(folder, tmp_path, monkeypatch):
    calls, embed = [], module._embed
    monkeypatch.setattr(module, "_embed", lambda *given: calls.append(1) or embed(*given))
    first = chemberta(SMILES, settings(folder))
    again = chemberta(SMILES, settings(folder))
    other = tmp_path / "other"
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(other)
    model = transformers.RobertaModel.from_pretrained(folder, add_pooling_layer=False)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.add_(1)
    model.save_pretrained(other)
    changed = chemberta(SMILES, settings(other))

    assert len(calls) == 2
    assert np.array_equal(first.x_VF, again.x_VF)
    assert model_digest(folder) != model_digest(other)
    assert not np.allclose(first.x_VF, changed.x_VF)


def test_a_cell_is_of_the_weights_that_were_there_when_it_was_made(folder, tmp_path):
    made = settings(folder)
    assert made.digest == model_digest(folder)
    again = ChembertaSettings.model_validate_json(made.model_dump_json())
    assert again == made

    with pytest.raises(DataError, match=r"is another model .* than the cell was made for"):
        chemberta(SMILES, settings(folder, digest="0" * 16))


def test_no_structure_at_all(folder):
    found = chemberta(["", ""], settings(folder))

    assert found.x_VF.shape == (2, 16)
    assert not found.mask_V.any()


def test_weights_that_are_not_to_be_had_are_one_sentence(monkeypatch):
    def refuse(*given, **named):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)

    with pytest.raises(DataError, match=r"someone/model: neither a folder here nor .*no network"):
        chemberta(SMILES, ChembertaSettings(model="someone/model", revision="0" * 40))


def test_pickled_weights_are_not_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(DataError, match="holds no weights as safetensors"):
        chemberta(SMILES, settings(tmp_path))


def test_weights_that_lack_some_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "layer.1" in name))
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(DataError, match=r"its weights lack .* drawn at random"):
        chemberta(SMILES, settings(tmp_path))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"nothing")

    with pytest.raises(DataError, match="is no encoder of text"):
        chemberta(SMILES, settings(tmp_path))
