import importlib.util
import shutil
import sys

import numpy as np
import pytest
import torch

from assay.captioning.bridge.language import THOUGHTS, language_of, tokenizer_of
from assay.errors import ConfigError, DataError, MachineError
from tests.captioning.bridge.small import OPEN, settings_of

SOME = np.arange(8)
needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed; pip install 'assay-bench[captioning]'",
)


def loaded(folder, few, **changes):
    chosen = settings_of(language_model={"model": str(folder), **changes})
    tokenizer = tokenizer_of(chosen, few.smiles, few.captions)
    return language_of(chosen, tokenizer), tokenizer


def test_the_same_texts_give_the_same_tokenizer(few):
    one, other = (tokenizer_of(settings_of(), few.smiles, few.captions) for _ in range(2))

    assert one.get_vocab() == other.get_vocab()
    assert len(one) <= 400
    assert one.decode(one("C[C@@H](O)é\n")["input_ids"]) == "C[C@@H](O)é\n"


def test_weights_in_a_folder_are_read_and_only_adapters_learn(folder, few):
    from safetensors.torch import load_file

    model, _ = loaded(folder, few)

    weights = load_file(folder / "model.safetensors")["model.layers.1.mlp.up_proj.weight"]
    base = model.model.layers[1].mlp.up_proj.get_base_layer().weight
    assert torch.equal(base, weights)
    learns = {name.split(".")[-3] for name, p in model.named_parameters() if p.requires_grad}
    assert learns == {"lora_A", "lora_B"}


def test_in_bfloat16_the_adapters_stay_float32_and_learn(folder, made):
    bridge = made(language_model={"model": str(folder), "precision": "bfloat16"}, **OPEN)

    losses = bridge.train("generate", 6, places=SOME)

    assert bridge.model.language.get_input_embeddings().weight.dtype == torch.bfloat16
    assert {p.dtype for p in bridge.model.parameters()} == {torch.float32}
    assert losses[-1] < losses[0]


@needs_bitsandbytes
def test_weights_of_four_bits_train_and_write_on_a_cpu_and_stay_as_they_are(folder, made):
    weights = {"model": str(folder), "quantise": "nf4"}
    bridge = made(language_model=weights, **OPEN)
    base = bridge.model.language.model.layers[0].mlp.up_proj.get_base_layer()
    before, scales = base.weight.data.clone(), base.weight.quant_state.absmax.clone()

    losses = bridge.train("generate", 6, places=SOME)
    bridge.model.eval()
    written = bridge.generator.captions(bridge.model, bridge.records, SOME[:2], lambda *_: None)

    assert base.weight.quant_state.nested  # double quantisation
    assert base.weight.dtype == torch.uint8
    assert losses[-1] < losses[0]
    assert len(written) == 2
    assert torch.equal(base.weight.data, before)
    assert torch.equal(base.weight.quant_state.absmax, scales)
    assert all(p.is_floating_point() for p in bridge.model.parameters())


def test_without_bitsandbytes_four_bits_are_refused_in_one_sentence(folder, few, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)

    with pytest.raises(MachineError, match=r"bitsandbytes is not installed; run `pip install"):
        loaded(folder, few, quantise="nf4")


def test_thoughts_are_never_written(folder, made):
    bridge = made(language_model=str(folder), stages={"pretrain": 0, "align": 0}, **OPEN)
    model, tokenizer = bridge.model.eval(), bridge.generator.tokenizer
    thought, alternative = tokenizer.convert_tokens_to_ids(["<think>", "C"])
    embeddings = model.language.get_input_embeddings().weight
    with torch.no_grad():  # make it by far the likeliest token, wherever
        model.language.model.norm.weight.zero_()
        model.language.model.norm.weight[0] = 1.0
        embeddings[:, 0] = 0
    head = torch.nn.Linear(embeddings.shape[1], len(embeddings))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.bias[thought], head.bias[alternative] = 9.0, 5.0
    model.language.set_output_embeddings(head)

    written = bridge.generator.captions(model, bridge.records, SOME[:2], lambda *_: None)

    assert written == ["C" * 12] * 2
    assert model.language.generation_config.suppress_tokens == [
        tokenizer.get_vocab()[mark] for mark in THOUGHTS
    ]


def test_a_tokenizer_of_another_model_is_refused(folder, few, tmp_path):
    shutil.copytree(folder, tmp_path / "mixed")
    chosen = settings_of(language_model=str(folder))
    tokenizer = tokenizer_of(chosen, few.smiles, few.captions)
    tokenizer.add_tokens([f"<extra {k}>" for k in range(50)])

    with pytest.raises(DataError, match="they do not belong together"):
        language_of(chosen, tokenizer)


def test_a_context_beyond_the_models_is_refused(folder, few):
    chosen = settings_of(language_model=str(folder), context=1024)

    with pytest.raises(ConfigError, match="reads 256 tokens at most"):
        language_of(chosen, tokenizer_of(chosen, few.smiles, few.captions))


def test_a_folder_that_went_away_or_changed_is_refused(folder, few, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    chosen = settings_of(language_model=str(copy))
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    with pytest.raises(DataError, match="is another model"):
        tokenizer_of(chosen, few.smiles, few.captions)

    shutil.rmtree(copy)
    with pytest.raises(DataError, match="neither a folder here nor to be had from the hub"):
        tokenizer_of(chosen, few.smiles, few.captions)


def test_a_folder_without_safetensors_is_refused(folder, few, tmp_path):
    shutil.copytree(folder, tmp_path / "empty", ignore=shutil.ignore_patterns("*.safetensors"))
    chosen = settings_of(language_model=str(tmp_path / "empty"))

    with pytest.raises(DataError, match="holds no weights as safetensors"):
        tokenizer_of(chosen, few.smiles, few.captions)


def test_weights_that_lack_a_tensor_are_refused(folder, few, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "partial")
    path = tmp_path / "partial" / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})

    with pytest.raises(DataError, match=r"lack model\.layers\.0\.mlp\.up_proj\.weight"):
        loaded(tmp_path / "partial", few)
