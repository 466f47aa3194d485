import pytest

from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.settings import captioning_settings
from assay.config import validate
from assay.errors import ConfigError

VARIANT = {"generator": "solid_bridge"}


def test_without_weights_a_small_language_model_learns_whole():
    chosen = BridgeSettings()

    assert chosen.scratch is not None
    assert (chosen.adapt, chosen.lora, chosen.encoder.outputs) == ("full", None, 768)


def test_with_weights_adapters_learn(folder):
    chosen = BridgeSettings.model_validate({"language_model": str(folder)})

    assert chosen.language_model is not None
    assert chosen.lora is not None
    assert (chosen.adapt, chosen.lora.rank, chosen.scratch) == ("lora", 8, None)
    assert chosen.language_model.digest is not None


def test_what_is_filled_in_is_read_again_alike(folder):
    for given in ({}, {"language_model": str(folder)}, {"adapt": "lora"}):
        chosen = BridgeSettings.model_validate(given)
        assert BridgeSettings.model_validate_json(chosen.model_dump_json()) == chosen


def test_a_cell_of_the_family_takes_them():
    chosen = captioning_settings(VARIANT, {"generator": {"graph_tokens": 4}})

    assert isinstance(chosen.generator, BridgeSettings)
    assert chosen.generator.graph_tokens == 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"language_model": "Qwen/Qwen3-0.6B"}, "commit of a model on the hub"),
        ({"language_model": "/nowhere/qwen"}, "is no folder here"),
        ({"adapt": "full", "lora": {}}, "lora belongs to adapt: lora"),
        ({"inputs": "smiles", "graphs": "shuffled"}, "has no effect"),
        ({"stages": {"pretrain": 0.6, "align": 0.4}}, "leave some to stage 2"),
        ({"alignment": {"mse": 0, "cosine": 0, "info_nce": 0}}, "nothing to align by"),
        ({"scratch": {"width": 30, "depth": 1, "heads": 4}}, "even"),
        ({"inputs": "picture"}, "inputs"),
        ({"grph_tokens": 2}, "did you mean 'graph_tokens'"),
    ],
)
def test_what_cannot_be_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        validate(BridgeSettings, given, "settings")


def test_four_bits_do_not_learn_and_random_weights_are_not_described_beside_others(folder):
    weights = {"model": str(folder), "quantise": "nf4"}

    with pytest.raises(ConfigError, match="4 bits do not learn"):
        validate(BridgeSettings, {"language_model": weights, "adapt": "full"}, "settings")
    with pytest.raises(ConfigError, match="leave it out beside language_model"):
        validate(BridgeSettings, {"language_model": weights, "scratch": {}}, "settings")
