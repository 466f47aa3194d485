"""A corpus of a few molecules, and bridges small enough to try."""

import pytest

from tests.captioning.bridge.small import Bridge, Few, settings_of


@pytest.fixture(autouse=True, scope="session")
def _packages():
    pytest.importorskip("transformers")
    pytest.importorskip("peft")


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("bridge-cache")))
        yield


@pytest.fixture(scope="session")
def few():
    """Some 150 molecules with the captions that templates give them."""
    return Few.of_mini()


@pytest.fixture(scope="session")
def made(few):
    """Return a function that makes a bridge by changed settings."""
    return lambda **changes: Bridge.of(few, **changes)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, few):
    """A tiny Qwen3 with random weights and its tokenizer, which knows <think>, as files."""
    import torch

    from assay.captioning.bridge.language import language_of, tokenizer_of

    settings = settings_of()
    tokenizer = tokenizer_of(settings, few.smiles, few.captions)
    tokenizer.add_tokens(["<think>", "</think>"])
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("qwen3-tiny")
    language_of(settings, tokenizer).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def folder_with_biases(tmp_path_factory, folder):
    """A tiny Qwen2, whose queries, keys and values have biases, none of them 0."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    like = AutoConfig.from_pretrained(folder)
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "num_attention_heads", "num_key_value_heads", "eos_token_id", "pad_token_id",
             "bos_token_id", "tie_word_embeddings")  # fmt: skip
    torch.manual_seed(2)
    model = Qwen2ForCausalLM(Qwen2Config(**{name: getattr(like, name) for name in names}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("_proj.bias"):
                parameter.uniform_(0.1, 0.5)
    path = tmp_path_factory.mktemp("qwen2-tiny")
    model.save_pretrained(path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(path)
    return path
