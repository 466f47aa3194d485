"""A language model with weights in the place of the small Transformer."""

import copy

import pytest
import torch

from assay.errors import DataError
from assay.habitability.data.batches import PlanetRecords
from assay.habitability.encoders.language import check_lengths, tokenizer_of
from assay.habitability.model_settings import ModelSettings
from assay.habitability.stages import EXPERTS, stages_of
from assay.store.language_models import WeightsSettings
from tests.habitability import made

pytestmark = pytest.mark.slow


def batch_of(planets, folder):
    tokenize = tokenizer_of(WeightsSettings(model=str(folder)))
    rows = planets.split_indices("train")
    lacking = rows[~planets.arrays["presence"][rows, 3]][:2]
    return PlanetRecords(planets, rows, tokenize).batch(
        torch.tensor([0, 1, 2, *(int(k) for k in (rows[:, None] == lacking).argmax(0))]).numpy()
    )


def test_only_adapters_learn_and_copies_share_the_rest(planets, corpus, averages, folder):
    model = made.model(corpus, averages, language_model=str(folder))
    batch = batch_of(planets, folder)
    assert not batch.has("text_descriptions").all()

    found = model(batch, made.draws(batch), 0, made.negatives(batch, batch))
    found.total.backward()

    learns = [name for name, _ in model.named_parameters() if ".language." in name]
    assert learns
    assert all("lora_" in name for name in learns)
    assert [name for name, each in model.named_parameters() if each.grad is None] == []
    assert not any(".language." in name and "lora_" not in name for name in model.state_dict())
    twin = copy.deepcopy(model)
    own, other = (
        each.encoders["text_descriptions"].language.get_input_embeddings().weight
        for each in (model, twin)
    )
    assert own is other


def test_no_stage_of_a_schedule_moves_the_language_model(planets, corpus, averages, folder):
    schedule = {"experts": 0.4, "fusion": 0.3}
    model = made.model(corpus, averages, language_model=str(folder), schedule=schedule)
    batch, adapted = batch_of(planets, folder), {}
    language = dict(model.encoders["text_descriptions"].language.named_parameters())

    for stage in stages_of(model.settings.schedule):
        model.zero_grad(set_to_none=True)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(stage.trainable(name))
        alone = stage.name == EXPERTS
        negatives = None if alone else made.negatives(batch, batch)
        model(batch, made.draws(batch), 0, negatives, alone=alone).total.backward()
        learns = {name for name, each in language.items() if each.grad is not None}
        assert learns == {name for name, each in language.items() if each.requires_grad}
        assert all("lora_" in name for name in learns)
        adapted[stage.name] = bool(learns)

    assert adapted == {"experts": True, "fusion": False, "joint": True}


def test_a_description_is_read_whatever_it_is_padded_to(planets, corpus, averages, folder):
    read = made.model(corpus, averages, language_model=str(folder)).encoders["text_descriptions"]
    batch = batch_of(planets, folder)
    lengths = batch.attention_mask.sum(1)
    shortest = int(lengths[:3].argmin())
    alone = PlanetRecords(
        planets, batch.record_ids.numpy(), tokenizer_of(WeightsSettings(model=str(folder)))
    ).batch(torch.tensor([shortest]).numpy())

    with torch.no_grad():
        among, one = read(batch), read(alone)

    assert torch.isfinite(among.x_BTD).all()
    n = int(lengths[shortest])
    torch.testing.assert_close(among.x_BTD[shortest, :n], one.x_BTD[0, :n], rtol=1e-3, atol=1e-4)


def test_descriptions_that_would_be_cut_off_name_the_planet(folder):
    tokenize = tokenizer_of(WeightsSettings(model=str(folder)))

    check_lengths(["a planet", ""], ["one", "other"], tokenize)
    with pytest.raises(DataError, match=r"planet other: text_descriptions: .* has 600 tokens"):
        check_lengths(["a", "word " * 600], ["one", "other"], tokenize)


def test_adapters_belong_to_a_language_model(folder):
    assert ModelSettings(language_model=str(folder)).lora is not None  # pyright: ignore
    with pytest.raises(ValueError, match="belong to language_model"):
        ModelSettings.model_validate({"lora": {"rank": 4}})
