import copy

import numpy as np
import pytest
import torch

from assay.captioning.bridge.prompt import PLACE

SOME = np.arange(8)


@pytest.mark.parametrize("tokens", [1, 4])
def test_graph_tokens_land_at_their_places_and_nothing_else_moves(made, tokens):
    bridge = made(graph_tokens=tokens)
    batch, model = bridge.records.batch(SOME), bridge.model

    with torch.no_grad():
        x_BTD = model.embedded(batch.tokens_BT, batch)
        graphs_BKD = model.graph_tokens(batch)

    places_BT = batch.tokens_BT == PLACE
    assert torch.equal(x_BTD[places_BT].view_as(graphs_BKD), graphs_BKD)
    words = model.language.get_input_embeddings().weight
    assert torch.equal(x_BTD[~places_BT], words[batch.tokens_BT[~places_BT]])
    assert graphs_BKD.shape[1] == tokens


def test_the_answer_hears_of_the_graph_only_where_it_is_told(made):
    for inputs, hears in (("both", True), ("graph", True), ("smiles", False)):
        bridge = made(inputs=inputs)
        batch = bridge.records.batch(SOME)
        other = batch.with_graphs_of(bridge.records.batch(SOME[::-1].copy()))

        with torch.no_grad():
            own, others = (bridge.model.answer_logits(each)[0] for each in (batch, other))

        assert (not torch.equal(own, others)) == hears


def test_with_smiles_alone_nothing_of_the_graph_is_built_and_there_is_one_stage(made):
    bridge = made(inputs="smiles")

    assert list(bridge.stages) == ["generate"]
    assert {name.split(".")[0] for name, _ in bridge.model.named_parameters()} == {"language"}
    assert bridge.train("generate", 6)[-1] < bridge.train("generate", 1)[0] + 1


def test_a_mean_is_over_records_however_long_their_answers(made):
    bridge = made()
    together = bridge.model.cross_entropy(bridge.records.batch(SOME))

    alone = [bridge.model.cross_entropy(bridge.records.batch(SOME[k : k + 1])) for k in SOME]

    torch.testing.assert_close(together, torch.stack(alone).mean())


@pytest.mark.parametrize("name", ["pretrain", "align", "generate"])
def test_the_loss_falls_on_one_batch(made, name):
    bridge = made(gate={"required": False})

    losses = bridge.train(name, 12, places=np.arange(16))

    assert losses[-1] < 0.85 * losses[0]


def test_a_description_is_the_mean_of_its_tokens(made):
    bridge = made()
    model, batch = bridge.model, bridge.records.batch(SOME)
    words = model.language.get_input_embeddings().weight.detach()

    found = model.descriptions(batch)

    for row, text in enumerate(batch.captions):
        tokens = [*bridge.generator.writer.encoded(text), bridge.generator.tokenizer.eos_token_id]
        torch.testing.assert_close(found[row], words[tokens].mean(0))


@pytest.mark.parametrize("target", ["embeddings", "hidden"])
def test_a_graph_token_begins_as_long_as_what_it_is_aligned_to(made, target):
    bridge = made(alignment={"target": target})
    batch = bridge.records.batch(np.arange(32))

    with torch.no_grad():
        tokens = bridge.model.graph_tokens(batch).norm(dim=2).mean()

    described = bridge.model.descriptions(batch).norm(dim=1).mean()
    assert float(tokens / described) == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize("target", ["embeddings", "hidden"])
def test_either_embedding_of_descriptions_can_be_aligned_to(made, target):
    bridge = made(alignment={"target": target})

    losses = bridge.train("align", 12, places=np.arange(16))

    assert losses[-1] < losses[0]
    hidden = bridge.model.descriptions(bridge.records.batch(SOME))
    assert torch.equal(hidden, made(alignment={"target": target}).model.descriptions(
        bridge.records.batch(SOME)
    ))  # fmt: skip


def test_a_description_is_embedded_alike_whatever_is_in_its_batch(made):
    bridge = made(alignment={"target": "hidden"})

    together = bridge.model.descriptions(bridge.records.batch(SOME))

    alone = [bridge.model.descriptions(bridge.records.batch(SOME[k : k + 1])) for k in SOME]
    torch.testing.assert_close(together, torch.cat(alone))


def test_what_is_frozen_is_computed_once_and_equals_what_is_not_kept(made):
    bridge = made()
    stage = bridge.enter("align")
    kept, again = stage.records.batch(SOME), stage.records.batch(SOME[::-1].copy())
    fresh = bridge.records.batch(SOME)

    assert torch.equal(kept.graphs_BO, again.graphs_BO.flip(0))
    assert kept.descriptions_BD is not None
    ids = {int(i): k for k, i in enumerate(fresh.record_ids)}
    for row, record in enumerate(kept.record_ids):
        if int(record) in ids:
            one = bridge.records.batch(np.array([ids[int(record)]]))
            torch.testing.assert_close(kept.graphs_BO[row], bridge.model.encoded(one)[0])
            torch.testing.assert_close(kept.descriptions_BD[row], bridge.model.descriptions(one)[0])


def test_a_step_of_alignment_with_a_learning_language_model_is_an_error_of_ours(made):
    bridge = made()
    stage = bridge.enter("align")
    bridge.model.requires_grad_(True)

    with pytest.raises(AssertionError, match="trains the projector alone"):
        bridge.generator.loss(bridge.model, stage.records.batch(SOME), stage, 0)


def test_under_adapters_the_frozen_weights_are_in_no_checkpoint_and_copies_share_them(made):
    bridge = made(adapt="lora", gate={"required": False})
    bridge.train("generate", 2)
    model = bridge.model

    twin = copy.deepcopy(model)

    language = [name for name in model.state_dict() if name.startswith("language.")]
    assert language
    assert all("lora_" in name for name in language)
    assert [name for name, _ in model.named_parameters() if "base_layer" in name] == []
    base = "model.layers.0.self_attn.q_proj.base_layer.weight"
    assert twin.language.get_parameter(base) is model.language.get_parameter(base)
    adapter = "model.layers.0.self_attn.q_proj.lora_B.default.weight"
    assert twin.language.get_parameter(adapter) is not model.language.get_parameter(adapter)
    assert twin.language.get_parameter(adapter).abs().sum() > 0


def test_a_checkpoint_restores_what_was_trained(made):
    for adapt in ("lora", "full"):
        bridge, fresh = made(adapt=adapt, gate={"required": False}), made(adapt=adapt)
        bridge.train("generate", 2)

        fresh.model.load_state_dict(bridge.model.state_dict())

        batch = bridge.records.batch(SOME)
        with torch.no_grad():
            want, got = (each.model.answer_logits(batch)[0] for each in (bridge, fresh))
        assert torch.equal(want, got)


def test_checkpointing_of_activations_changes_no_gradient(made):
    gradients = []
    for checkpointing in (False, True):
        bridge = made(gradient_checkpointing=checkpointing, gate={"required": False})
        bridge.enter("generate")
        bridge.model.cross_entropy(bridge.records.batch(SOME)).backward()
        gradients.append([p.grad for p in bridge.model.parameters() if p.requires_grad])

    for plain, computed_anew in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, computed_anew)
