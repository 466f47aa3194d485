import numpy as np
import pytest
import torch
import yaml

from assay.captioning.decoding import Decoding
from assay.captioning.generator import Corpus, others
from assay.captioning.latent_prefix import LatentPrefix, LatentPrefixSettings
from assay.captioning.latent_prefix_model import LatentBatch, LatentRecords
from assay.captioning.task import CaptioningTask
from assay.errors import DataError
from assay.result import read_metrics
from assay.training.execution import Execution
from assay.training.loop import Training
from tests.captioning.saved import save_t5
from tests.captioning.test_task import prefix

pytest.importorskip("transformers")

SILENT = lambda phase, done: None  # noqa: E731
TERMS = ("mse", "cosine", "cross_entropy")
IN_CONTEXT = ("settings.generator.neighbours=2", "settings.generator.neighbour_tokens=24")
PRETRAINED = (
    "settings.generator.pretrain_share=0.25",
    "settings.generator.autoencoder_share=0.25",
    "settings.generator.masking={}",
)


def made(*overrides: str):
    task = CaptioningTask(prefix(*overrides))
    torch.manual_seed(0)
    return task, task.data(), task.model(task.data())


def stage_of(task, name):
    return next(stage for stage in task.stages() if stage.name == name)


def train(cell, directory):
    directory.mkdir(parents=True)
    task = CaptioningTask(cell)
    return Training(task, cell, task.data(), Execution(), directory, lambda row: None)


def test_the_loop_learns_a_batch_by_heart(mini_captions, tmp_path):
    cell = prefix(
        "budget.steps=140",
        "training={batch_size: 4, records: 4, learning_rate: 5.0e-3, validations: 0}",
        "settings.generator.autoencoder_share=0.7",
    )

    train(cell, tmp_path / "cell").run()

    rows = read_metrics(tmp_path / "cell" / "metrics.jsonl")
    stages = ([row for row in rows if ("train/mse" in row) == second] for second in (False, True))
    (first, *_, learned), (start, *_, end) = stages
    assert learned["train/loss"] < 0.2 * first["train/loss"]
    assert end["train/loss"] < 0.6 * start["train/loss"]


@pytest.mark.parametrize("layers", [0, 1])
def test_what_is_frozen_does_not_change_in_the_second_stage(mini_captions, tmp_path, layers):
    training = train(prefix(f"settings.generator.unfrozen_layers={layers}"), tmp_path / "cell")
    training.run(0.5)
    before = {name: each.clone() for name, each in training.model.state_dict().items()}
    training.run()

    after = training.model.state_dict()
    changed = {name for name, each in before.items() if not torch.equal(each, after[name])}
    assert training.stages[training.stage].name == "graph"
    assert any(name.startswith("graph.") for name in changed)
    frozen = {name for name in changed if not name.startswith(("graph.", "readout."))}
    if layers:
        assert frozen
        assert all(name.startswith("t5.decoder.block.0.") for name in frozen)
    else:
        assert not frozen


def test_in_the_first_stage_the_graph_does_not_learn(mini_captions, tmp_path):
    training = train(prefix(), tmp_path / "cell")
    before = {name: each.clone() for name, each in training.model.state_dict().items()}
    training.run(0.5)

    after = training.model.state_dict()
    changed = {name.partition(".")[0] for name, e in before.items() if not e.equal(after[name])}
    assert changed == {"t5", "from_enc"}


def test_a_pretrained_t5_may_stay_as_it_is(mini_captions):
    settings = LatentPrefixSettings.model_construct(finetuned=False)
    generator = LatentPrefix.__new__(LatentPrefix)
    generator.settings = settings

    assert generator._of_autoencoder("from_enc.weight")
    assert not generator._of_autoencoder("t5.shared.weight")


@pytest.mark.parametrize("term", TERMS)
def test_a_weight_of_0_leaves_a_term_out_uncomputed(mini_captions, term, monkeypatch):
    task, data, model = made(f"settings.generator.{term}=0")
    computed = []
    for name in ("reading_loss", "of_text"):
        own = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *g, n=name, f=own: computed.append(n) or f(*g))

    batch = data.train.batch(np.arange(4))
    loss = task.loss(model, batch, stage_of(task, "graph"), 0)

    assert set(loss.parts) == set(TERMS) - {term}
    assert ("reading_loss" in computed) == (term != "cross_entropy")
    assert "of_text" in computed


def test_without_the_latent_terms_no_latent_is_computed(mini_captions, monkeypatch):
    task, data, model = made("settings.generator={mse: 0, cosine: 0, small: {size: xs}}")
    monkeypatch.setattr(model, "of_text", None)

    assert not isinstance(stage_of(task, "graph").records, LatentRecords)
    loss = task.loss(model, data.train.batch(np.arange(4)), stage_of(task, "graph"), 0)
    assert set(loss.parts) == {"cross_entropy"}


@pytest.mark.parametrize("term", TERMS)
def test_the_weight_of_a_term_weighs_its_gradient(mini_captions, term):
    gradients = {}
    for weight in (1, 3):
        weights = dict.fromkeys(TERMS, 0) | {term: weight}
        given = [f"settings.generator.{name}={value}" for name, value in weights.items()]
        task, data, model = made(*given)
        stage = stage_of(task, "graph")
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(stage.trainable(name))
        task.loss(model, data.train.batch(np.arange(4)), stage, 0).total.backward()
        gradients[weight] = model.readout[1].weight.grad

    assert gradients[1].abs().max() > 0
    torch.testing.assert_close(gradients[3], 3 * gradients[1])


def test_gradient_reaches_every_parameter_that_learns(mini_captions):
    for name in ("autoencoder", "graph"):
        task, data, model = made("settings.generator.unfrozen_layers=1")
        stage = stage_of(task, name)
        learning = {n: p for n, p in model.named_parameters() if stage.trainable(n)}
        for n, parameter in model.named_parameters():
            parameter.requires_grad_(n in learning)
        task.loss(model, data.train.batch(np.arange(16)), stage, 0).total.backward()

        assert [n for n, p in learning.items() if p.grad is None or not p.grad.abs().max()] == []


def test_known_latents_are_those_of_the_text(mini_captions):
    task, data, model = made()
    stage = stage_of(task, "graph")
    batch = stage.records.batch(np.array([5, 900, 17]))

    assert isinstance(batch, LatentBatch)
    torch.testing.assert_close(
        batch.latents_BKD, model(data.train.batch(np.array([5, 900, 17])), "text")["latents"]
    )
    bare = data.train.batch(np.array([5, 900, 17]))
    with_and_without = [task.loss(model, each, stage, 0).total for each in (batch, bare)]
    torch.testing.assert_close(*with_and_without)


def test_a_loss_does_not_depend_on_batch_mates(mini_captions):
    task, data, model = made()
    model.eval()
    order = np.argsort(data.train.lengths)
    short, long = order[:2], order[-2:]
    for stage in task.stages():
        alone = [task.loss(model, data.train.batch(part), stage, 0).total for part in (short, long)]
        both = task.loss(model, data.train.batch(np.concatenate([short, long])), stage, 0).total
        torch.testing.assert_close(torch.stack(alone).mean(), both, rtol=1e-5, atol=1e-6)


def test_graphs_are_told_apart_by_the_latent_alone(mini_captions):
    """`inputs_embeds` would be encoded again: the decoder would see no such latent."""
    _, data, model = made()
    batch = data.train.batch(np.arange(2))
    latents_BKD = model(batch, "graph")["latents"]

    from assay.captioning.latent_prefix_model import as_encoded

    start_B1 = torch.zeros(2, 1, dtype=torch.long)
    ours = model.t5(encoder_outputs=as_encoded(latents_BKD), decoder_input_ids=start_B1).logits
    decoded = model.t5.decoder(input_ids=start_B1, encoder_hidden_states=latents_BKD)
    torch.testing.assert_close(ours, model.t5.lm_head(decoded.last_hidden_state))


@pytest.mark.parametrize(
    "decoding",
    [
        "{method: greedy, most_tokens: 24, batch_size: %d}",
        "{method: beam, beams: 3, most_tokens: 24, batch_size: %d}",
        "{method: sample, temperature: 0.8, nucleus: 0.9, most_tokens: 24, batch_size: %d}",
        "{method: sample, candidates: 3, most_tokens: 16, batch_size: %d}",
    ],
)
def test_captions_depend_neither_on_batch_mates_nor_on_order(mini_captions, decoding):
    task, data, model = made()
    model.eval()
    corpus, places = Corpus([], task.texts.train.captions), np.arange(6)

    def texts(size, order=places):
        chosen = yaml.safe_load(decoding % size)
        settings = task.generator.settings.model_copy(
            update={"decoding": Decoding.model_validate(chosen)}
        )
        asked = LatentPrefix(settings, 0, corpus)
        return asked.captions(model, data.test, order, SILENT)

    together = texts(6)
    assert texts(6) == together, "the same again"
    assert texts(1) == together
    assert texts(4, places[::-1]) == together[::-1]


def test_of_candidates_the_one_that_fits_the_graph_that_was_given_is_kept(
    mini_captions, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        "assay.captioning.latent_prefix.most_consistent",
        lambda texts, smiles: seen.append((len(texts), smiles)) or list(texts[::3]),
    )
    shuffled = "settings.generator={graphs: shuffled, small: {size: xs, depth: 1}, decoding: %s}"
    task, data, model = made(shuffled % "{method: beam, beams: 3, candidates: 3, most_tokens: 4}")

    task.generator.captions(model.eval(), data.test, np.arange(4), SILENT)

    smiles = task.texts.test.smiles
    assert seen == [(12, tuple(smiles[place] for place in others(4)))]
    assert task.generator.passes() == 3 * made()[0].generator.passes()


def test_captions_of_neighbours_are_read_and_marked_by_rank(mini_captions):
    _, data, model = made(*IN_CONTEXT)
    batch = data.train.batch(np.arange(4))
    latents_BKD = model(batch, "graph")["latents"]
    with torch.no_grad():
        model.ranks += torch.tensor([[100.0], [200.0]])

    states_BSD, mask_BS = model.attended(latents_BKD, batch)

    K, T = latents_BKD.shape[1], batch.neighbours.tokens_BNT.shape[2]
    assert torch.equal(states_BSD[:, :K], latents_BKD)
    assert mask_BS[:, :K].all()
    assert torch.equal(mask_BS[:, K:], batch.neighbours.mask_BNT.flatten(1))
    for rank in (0, 1):
        told_BTD = states_BSD[:, K + rank * T :][:, :T]
        alone = batch.neighbours.tokens_BNT[:, rank], batch.neighbours.mask_BNT[:, rank].long()
        own_BTD = model.t5.encoder(input_ids=alone[0], attention_mask=alone[1]).last_hidden_state
        kept = batch.neighbours.mask_BNT[:, rank]
        expected = own_BTD[kept] + 100.0 * (rank + 1)
        torch.testing.assert_close(told_BTD[kept], expected, rtol=1e-5, atol=1e-4)


def test_a_neighbours_caption_is_that_of_another_molecule_and_is_cut(mini_captions):
    task, data, _ = made(*IN_CONTEXT)
    train = task.texts.train
    batch = data.train.batch(np.arange(6))

    texts = [
        task.generator.vocabulary.decode(each.tolist()) for each in batch.neighbours.tokens_BNT
    ]
    for place, told in enumerate(texts):
        own, others_of = train.captions[place], set(train.captions) - {train.captions[place]}
        for text in told:
            assert any(other.startswith(text) for other in others_of)
            assert text != own
    assert int(batch.neighbours.n_tokens_BN.max()) == 24


@pytest.mark.parametrize("name", ["autoencoder", "graph"])
def test_a_loss_with_neighbours_does_not_depend_on_batch_mates(mini_captions, name):
    task, data, model = made(*IN_CONTEXT)
    model.eval()
    stage = stage_of(task, name)
    parts = np.arange(2), np.arange(900, 902)
    alone = [task.loss(model, data.train.batch(part), stage, 0).total for part in parts]
    both = task.loss(model, data.train.batch(np.concatenate(parts)), stage, 0).total

    torch.testing.assert_close(torch.stack(alone).mean(), both, rtol=1e-5, atol=1e-6)


def test_the_marks_of_neighbours_learn_in_both_stages(mini_captions):
    for name in ("autoencoder", "graph"):
        task, data, model = made(*IN_CONTEXT)
        stage = stage_of(task, name)
        for n, parameter in model.named_parameters():
            parameter.requires_grad_(stage.trainable(n))
        task.loss(model, data.train.batch(np.arange(8)), stage, 0).total.backward()

        assert (model.ranks.grad.abs().amax(dim=1) > 0).all()


def test_without_neighbours_nothing_is_looked_for(mini_captions, monkeypatch):
    monkeypatch.setattr("assay.captioning.neighbours.neighbours", None)
    _, data, model = made()

    assert model.ranks is None
    assert data.train.batch(np.arange(2)).neighbours is None


def test_graphs_of_others_come_with_ones_own_neighbours(mini_captions):
    _, data, _ = made(*IN_CONTEXT)
    own, other = data.test.batch(np.arange(2)), data.test.batch(np.array([5, 6]))

    mixed = own.with_graphs_of(other)

    assert torch.equal(mixed.neighbours.tokens_BNT, own.neighbours.tokens_BNT)
    assert torch.equal(mixed.graphs.atoms_NA, other.graphs.atoms_NA)
    assert (mixed.smiles, mixed.captions) == (other.smiles, own.captions)


def test_the_encoder_may_be_pretrained_and_nothing_else_learns_then(mini_captions, tmp_path):
    training = train(prefix(*PRETRAINED), tmp_path / "cell")
    before = {name: each.clone() for name, each in training.model.state_dict().items()}
    training.run(0.25)

    after = training.model.state_dict()
    changed = {name.partition(".")[0] for name, e in before.items() if not e.equal(after[name])}
    assert [stage.name for stage in training.stages] == ["pretrain", "autoencoder", "graph"]
    assert changed == {"graph", "contrast", "masking"}
    assert not any(name.startswith("contrast.graphs.") for name in after), "named once"
    assert training.model.contrast.graphs is training.model.graph
    training.run()
    ended = training.model.state_dict()
    assert ended["contrast.raw_scale"].equal(after["contrast.raw_scale"])
    rows = read_metrics(tmp_path / "cell" / "metrics.jsonl")
    assert {"train/contrast", "train/masking"} <= set(rows[0])


def test_stages_cost_differently(mini_captions):
    task, data, _ = made(*PRETRAINED)
    records = [stage.records or data.train for stage in task.stages()]

    assert len({task.workload(each.batch(np.arange(8)), 0) for each in records[:2]}) == 2


def test_samples_are_of_the_seed_and_of_the_record(mini_captions):
    task, data, model = made("settings.generator.decoding={method: sample, most_tokens: 12}")
    model.eval()
    own = task.generator.captions(model, data.test, np.arange(4), SILENT)
    task.generator.seed = 1

    assert task.generator.captions(model, data.test, np.arange(4), SILENT) != own
    assert len(set(own)) == 4


def test_captions_that_are_cut_are_counted(mini_captions):
    task, data, _ = made("settings.generator={context: 24, latents: 4, small: {size: xs}}")

    assert "training captions are cut at 24 tokens" in data.description
    assert data.train.lengths.max() == 24
    batch = data.train.batch(np.arange(8))
    last = batch.tokens_BT.gather(1, batch.n_tokens_B[:, None] - 1)
    assert (last == task.generator.vocabulary.end).all(), "what is cut ends all the same"


def test_workloads_come_again(mini_captions):
    task, data, _ = made()
    order = np.argsort(data.train.lengths, kind="stable")[:800].reshape(-1, 8)

    assert len({task.workload(data.train.batch(part), 0) for part in order}) < 15


@pytest.fixture
def pretrained(tmp_path, mini_captions):
    """A tiny T5 with a tokenizer, as `save_pretrained` leaves them."""
    return save_t5(tmp_path / "t5", CaptioningTask(prefix()).texts.train.captions)


def of(folder, **more):
    settings = LatentPrefixSettings.model_validate({"language_model": str(folder), **more})
    return LatentPrefix(settings, 0, Corpus([], []))


def test_a_folder_with_a_t5_drives_the_whole_way(pretrained, tmp_path):
    from safetensors.torch import load_file

    given = f"settings.generator={{language_model: {pretrained}, decoding: {{most_tokens: 8}}}}"
    training = train(prefix(given), tmp_path / "cell")
    kept = load_file(pretrained / "model.safetensors")
    torch.testing.assert_close(training.model.t5.shared.weight.data, kept["shared.weight"])
    assert training.model.t5.config.dropout_rate == 0

    training.run()
    found = training.task.evaluate(training.result, training.data, SILENT)

    assert found["whitespace/bleu4"].n == 6
    assert training.cell.settings.generator.language_model.digest is not None


def test_a_tokenizer_that_does_not_fit_is_one_sentence(pretrained):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=8, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(pretrained)

    with pytest.raises(DataError, match=r"the tokenizer has .* tokens, the model 8; give the"):
        of(pretrained)


def test_what_is_no_t5_is_one_sentence(tmp_path, pretrained):
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(DataError, match=r"bert: (holds no|its) tokenizer"):
        of(tmp_path / "bert")
    for path in pretrained.glob("tokenizer*"):
        (tmp_path / "bert" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="is a bert; the latent prefix needs a T5"):
        of(tmp_path / "bert")


def test_weights_that_are_not_whole_are_one_sentence(pretrained):
    from safetensors.torch import load_file, save_file

    path = pretrained / "model.safetensors"
    kept = {k: v for k, v in load_file(path).items() if "decoder.final_layer_norm" not in k}
    save_file(kept, path, metadata={"format": "pt"})

    with pytest.raises(DataError, match=r"decoder\.final_layer_norm\.weight is missing"):
        of(pretrained).model()


def test_weights_that_changed_since_the_cell_was_made_are_one_sentence(pretrained):
    settings = LatentPrefixSettings.model_validate({"language_model": str(pretrained)})
    (pretrained / "config.json").write_text((pretrained / "config.json").read_text() + "\n")

    with pytest.raises(DataError, match="is another model"):
        LatentPrefix(settings, 0, Corpus([], []))
