import pytest
import torch

from assay.captioning.bridge.language import adapted, trainable_adapters
from assay.captioning.bridge.projector import Projector
from assay.captioning.bridge.settings import LoraSettings


def test_its_parameters_are_those_that_are_published():
    projector = Projector(768, 1024, 1024)

    assert sum(p.numel() for p in projector.parameters()) == 2_890_752


@pytest.mark.parametrize(("rank", "parameters"), [(8, 5_046_272), (16, 10_092_544)])
def test_adapters_of_qwen3_have_as_many_parameters_as_they_should(rank, parameters):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=151_936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28,
        num_attention_heads=16, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = Qwen3ForCausalLM(config)
        assert sum(p.numel() for p in model.parameters()) == 596_049_920
        model = adapted(model, LoraSettings(rank=rank))

    assert trainable_adapters(model) == parameters


@pytest.mark.parametrize("tokens", [1, 4])
def test_graph_tokens_begin_as_long_as_the_embeddings_among_which_they_stand(tokens):
    torch.manual_seed(0)
    projector = Projector(32, 256, 64, tokens, length=0.5)

    x_BKD = projector(torch.randn(16, 32)).detach()

    assert x_BKD.shape == (16, tokens, 64)
    assert float(x_BKD.norm(dim=2).mean()) == pytest.approx(0.5, rel=0.2)
