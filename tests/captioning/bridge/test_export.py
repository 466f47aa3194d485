import importlib.util

import numpy as np
import pytest
import torch

from assay.captioning.bridge.export import export, load_exported, merged
from assay.errors import DataError
from tests.captioning.bridge.small import OPEN

SOME = np.arange(6)
HAS_BITSANDBYTES = importlib.util.find_spec("bitsandbytes") is not None


def exported_says_the_same(bridge, folder):
    """Train, export, load, compare what is said; return what was loaded."""
    bridge.train("generate", 3, rate=0.02)
    batch = bridge.records.batch(SOME)
    bridge.model.eval()
    export(bridge.model, bridge.generator.tokenizer, folder)
    again, tokenizer = load_exported(folder)
    with torch.no_grad():
        want, got = (each.answer_logits(batch)[0] for each in (bridge.model, again))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    return again, tokenizer


@pytest.mark.parametrize("kind", ["scratch", "lora", "nf4", "smiles"])
def test_what_is_exported_says_the_same(made, folder, tmp_path, kind):
    if kind == "nf4" and not HAS_BITSANDBYTES:
        pytest.skip("bitsandbytes is not installed")
    weights = {"model": str(folder), "quantise": "nf4" if kind == "nf4" else "none"}
    given = {
        "scratch": {},
        "lora": {"language_model": weights},
        "nf4": {"language_model": weights},
        "smiles": {"inputs": "smiles", "adapt": "lora"},
    }[kind]
    bridge = made(**given, **OPEN)

    again, tokenizer = exported_says_the_same(bridge, tmp_path / "bridge")

    assert tokenizer.get_vocab() == bridge.generator.tokenizer.get_vocab()
    assert not any("lora_" in name for name in again.state_dict())
    assert not list((tmp_path / "bridge").rglob("*.bin"))


def test_the_biases_of_adapted_layers_are_exported(made, folder_with_biases, tmp_path):
    bridge = made(language_model={"model": str(folder_with_biases)}, **OPEN)

    again, _ = exported_says_the_same(bridge, tmp_path / "bridge")

    assert again.language.model.layers[0].self_attn.q_proj.bias.abs().min() > 0


def test_merging_leaves_the_trained_model_as_it_is(made):
    bridge = made(adapt="lora", **OPEN)
    bridge.train("generate", 2, rate=0.02)
    batch, model = bridge.records.batch(SOME), bridge.model.eval()
    with torch.no_grad():
        before = model.answer_logits(batch)[0]

    whole = merged(model.language)

    with torch.no_grad():
        assert torch.equal(model.answer_logits(batch)[0], before)
    base = model.language.model.layers[0].self_attn.q_proj.get_base_layer().weight
    assert not torch.equal(whole.model.layers[0].self_attn.q_proj.weight, base)


def test_a_folder_with_something_in_it_is_not_written_to(made, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    bridge = made()

    with pytest.raises(DataError, match="is not empty"):
        export(bridge.model, bridge.generator.tokenizer, tmp_path)


def test_half_an_export_is_refused(made, tmp_path):
    bridge = made()
    export(bridge.model, bridge.generator.tokenizer, tmp_path / "bridge")
    (tmp_path / "bridge" / "projector.safetensors").unlink()

    with pytest.raises(DataError, match=r"projector\.safetensors: cannot be read"):
        load_exported(tmp_path / "bridge")
    with pytest.raises(DataError, match="is no exported bridge"):
        load_exported(tmp_path)
