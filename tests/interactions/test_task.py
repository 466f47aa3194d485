import json
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cell import Cell, load_suite
from assay.errors import ConfigError, TrainingError
from assay.interactions import metrics
from assay.interactions.task import InteractionsTask
from assay.reference import compute_reference
from assay.result import Result
from assay.runner import cell_directory, train_until
from assay.store import sets
from assay.task import Stage
from assay.training.loop import Execution
from tests.interactions.mini_cells import SUITE, cells, rows, run

STAGE = Stage("train")


@pytest.fixture(scope="module")
def trained(prepared_links, tmp_path_factory) -> tuple[Path, Cell, Result]:
    """One cell trained for a few seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_links))
        storage = tmp_path_factory.mktemp("runs")
        cell = cells("budget.steps=1000", "settings.network.size=s")[0]
        return storage, cell, run(cell, storage)


def test_gradient_reaches_every_parameter(task, model):
    task.loss(model, task.data().train.batch(np.arange(64)), STAGE, 0).total.backward()

    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max()]
    assert silent == []


def test_the_loss_is_the_cross_entropy_of_edges_and_of_their_negatives(task, model):
    loss = task.loss(model, task.data().train.batch(np.arange(8)), STAGE, 0)

    torch.testing.assert_close(loss.total, loss.parts["edges"] + loss.parts["negatives"])
    # Nothing is learned yet: every pair is as likely as not.
    assert loss.total.item() == pytest.approx(2 * np.log(2), abs=0.05)


def test_a_batch_split_among_workers_has_the_loss_of_the_whole(task, model):
    train, indices = task.data().train, np.arange(24)

    whole = task.loss(model, train.batch(indices), STAGE, 3).total
    parts = [task.loss(model, train.batch(part), STAGE, 3).total for part in np.split(indices, 3)]

    torch.testing.assert_close(torch.stack(parts).mean(), whole, rtol=1e-5, atol=1e-6)


def test_workloads_name_what_decides_the_flops(task):
    train = task.data().train

    assert task.workload(train.batch(np.arange(8)), 0) == task.workload(
        train.batch(np.arange(8)), 9
    )
    assert task.workload(train.batch(np.arange(8)), 0) != task.workload(
        train.batch(np.arange(4)), 0
    )


def test_validation_is_the_same_at_every_call(task, model):
    first, again = (task.validate(model, task.data(), STAGE) for _ in range(2))

    assert first == again
    assert set(first) == {
        "loss", "edges", "negatives", "hits_at_10", "hits_at_20", "hits_at_30",
    }  # fmt: skip


def test_scores_do_not_depend_on_how_many_are_computed_at_once(task, model, monkeypatch):
    whole = task._score(model, task.data().test, "test")
    monkeypatch.setattr("assay.interactions.predictor.SCORED_AT_ONCE", 1000)
    parts = task._score(model, task.data().test, "test")

    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_scores_of_the_model_that_are_not_finite_are_a_fault_of_training(task, model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    data = task.data()
    with pytest.raises(TrainingError, match=r"validation scores: .* are not finite; lower"):
        task.validate(model, data, STAGE)
    with pytest.raises(TrainingError, match="test scores"):
        task.evaluate(model, data, lambda phase, fraction: None)


def test_learning_beats_the_untrained_model_and_the_heuristic(trained, task, model):
    _, cell, result = trained
    learned = result.estimates["ogb/hits_at_20"]
    untrained = task.evaluate(model, task.data(), lambda phase, done: None)["ogb/hits_at_20"]
    floor = compute_reference(cell)

    assert floor.name == "paths of length 3"
    assert floor.estimates["ogb/hits_at_20"].value == pytest.approx(0.739, abs=0.01)
    assert untrained.high < 0.2
    assert learned.low > floor.estimates["ogb/hits_at_20"].value
    assert learned.n == 505


def test_the_loss_falls(trained):
    storage, cell, _ = trained
    losses = [row["train/loss"] for row in rows(storage, cell)]

    assert losses[-1] < 0.3 * losses[0]


def test_the_stored_scores_give_the_estimate_again(trained):
    storage, cell, result = trained
    with np.load(cell_directory(storage, cell.key) / "artifacts" / "scores.npz") as scores:
        assert scores["neg"].shape == (5000,)
        again = metrics.evaluate(scores["pos"], scores["neg"])
        assert again == {name: result.estimates[name] for name in again}
        assert set(result.estimates) - set(again) == {"heart/mrr", "heart/hits_at_20"}


def test_half_a_run_and_its_other_half_are_the_whole_bit_for_bit(links, tmp_path):
    (cell, *_) = cells("budget.steps=60")
    whole = run(cell, tmp_path / "whole")

    train_until(cell, Execution(), tmp_path / "halves", lambda report: None, 0.5)
    halves = run(cell, tmp_path / "halves")

    assert halves.provenance.resumed == 1
    assert halves.estimates == whole.estimates
    assert rows(tmp_path / "halves", cell) == rows(tmp_path / "whole", cell)
    scores = [
        (cell_directory(tmp_path / name, cell.key) / "artifacts" / "scores.npz")
        for name in ("whole", "halves")
    ]
    with np.load(scores[0]) as a, np.load(scores[1]) as b:
        assert all(np.array_equal(a[name], b[name]) for name in ("pos", "neg"))


def test_halved_micro_batches_train_alike(links, tmp_path):
    (cell, *_) = cells("budget.steps=50")
    run(cell, tmp_path / "whole")
    run(cell, tmp_path / "halves", accumulation=2)

    losses = [[row["train/loss"] for row in rows(tmp_path / n, cell)] for n in ("whole", "halves")]

    np.testing.assert_allclose(*losses, rtol=0, atol=1e-5)


def test_with_dropout_halved_micro_batches_train_alike_too(links, tmp_path):
    thinned = ("settings.network.dropout=0.3", "settings.decoder.dropout=0.3", "budget.steps=20")
    (cell, *_) = cells(*thinned)
    run(cell, tmp_path / "whole")
    run(cell, tmp_path / "halves", accumulation=2)

    losses = [[row["train/loss"] for row in rows(tmp_path / n, cell)] for n in ("whole", "halves")]

    np.testing.assert_allclose(*losses, rtol=0, atol=1e-5)


def test_a_graph_that_is_held_sparsely_is_trained_and_evaluated(links, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.interactions.messages.DENSE_SHARE", 1.0)
    (cell, *_) = cells("budget.steps=20")

    assert run(cell, tmp_path).estimates["ogb/hits_at_20"].n == 505


def test_bf16_stays_close_to_fp32(links, tmp_path):
    exact, rough = (
        cells("budget.steps=20", f"training.precision={name}")[0] for name in ("fp32", "bf16")
    )
    losses = []
    for cell in (exact, rough):
        run(cell, tmp_path)
        losses.append([row["train/loss"] for row in rows(tmp_path, cell)])

    np.testing.assert_allclose(*losses, rtol=0.02)


def test_the_strong_recipe_trains_and_its_settings_are_part_of_its_cell(links, tmp_path):
    strong = (
        "settings.network.init=orthogonal", "settings.network.initial_residual=0.2",
        "settings.features.ids=48", "settings.decoder={layers: 4, residual: true}",
        "settings.masked=true", "budget.steps=60",
    )  # fmt: skip
    (cell, *_), (plain, *_) = cells(*strong), cells("budget.steps=60")
    told = json.loads(cell.model_dump_json())["settings"]["network"]
    assert (told["init"], told["initial_residual"]) == ("orthogonal", 0.2)
    assert not {"init", "initial_residual"} & set(plain.model_dump()["settings"]["network"])
    assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key

    run(cell, tmp_path)

    losses = [row["train/loss"] for row in rows(tmp_path, cell)]
    assert losses[-1] < 0.9 * losses[0]


def test_with_masking_training_does_not_see_the_edges_that_it_asks_for(links):
    plain, masked = (
        InteractionsTask(cells(*given)[0]) for given in ((), ("settings.masked=true",))
    )
    torch.manual_seed(0)
    model = plain.model(plain.data()).train()
    batch = plain.data().train.batch(np.arange(64))

    seen, hidden = (task.loss(model, batch, STAGE, 0).total for task in (plain, masked))
    looks = [task.validate(model.eval(), task.data(), STAGE)["loss"] for task in (plain, masked)]

    assert not torch.isclose(seen, hidden, rtol=1e-7)
    assert looks[0] == looks[1], "what is held out is never among the messages"


def test_with_all_neighbours_a_part_of_the_graph_gives_the_scores_of_the_whole(links):
    (cell, *_) = cells("grid.encoder=[sage]")
    task = InteractionsTask(cell)
    torch.manual_seed(0)
    model = task.model(task.data())
    pairs = task.data().train.batch(np.arange(4)).pairs_B2

    part = task.neighbours.around(pairs, (999, 999), 0, 0, None)

    assert len(part.messages.edges_2M[0]) < len(model.messages.edges_2M[0])
    torch.testing.assert_close(model(pairs, None, part), model(pairs), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("encoder", ["sage", "gat"])
def test_a_few_neighbours_of_each_node_are_enough_to_learn(links, tmp_path, encoder):
    given = (f"grid.encoder=[{encoder}]", "budget.steps=150", "settings.neighbours=[8, 4]")
    (cell, *_) = cells(*given, "settings.masked=true", "training.batch_size=64")

    run(cell, tmp_path)

    losses = [row["train/loss"] for row in rows(tmp_path, cell)]
    assert np.mean(losses[-5:]) < 0.85 * losses[0]


def test_the_best_look_chooses_the_weights(links, tmp_path):
    (cell, *_) = cells("budget.steps=100", "training.weights=best", "training.validations=10")

    result = run(cell, tmp_path)

    looks = {
        row["step"]: row["val/hits_at_20"] for row in rows(tmp_path, cell) if "val/loss" in row
    }
    assert looks[result.provenance.chosen_step] == max(looks.values())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid.encoder=[gnc]", r"unknown encoder 'gnc'; did you mean 'gcn'\?"),
        ("grid={model: [gcn]}", r"a variant is an encoder, .* not \{'model': 'gcn'\}"),
        ("grid={encoder: [gcn], nodes: [fallbac]}", "unknown nodes 'fallbac'; did you mean"),
        ("grid={encoder: [gcn], nodes: [mean]}", r"nodes mean need settings.features.sources"),
        ("settings.network.widht=8", r"unknown key 'network.widht'; did you mean 'width'\?"),
        ("settings.features={sources: [morgen]}", r"unknown source of features 'morgen'; did you"),
        ("settings.features={sources: [morgan, morgan]}", "sources: one is given twice"),
        ("settings.features={missing: mean}", "missing has no effect without sources"),
        ("settings.features={sources: [chemberta]}", "source chemberta needs chemberta.model"),
        (
            "settings.features={sources: [chemberta], chemberta: {model: some/name}}",
            "give an absolute path, or the commit of a model on the hub",
        ),
        ("settings.features={sources: 3}", r"features.sources"),
        ("settings.features=morgan", "features"),
        ("settings.decoder={layers: 1, dropout: 0.5}", "a decoder of one layer has no width"),
        ("settings.neighbours=[8]", "neighbours: 1 given for 2 layers; give one a layer"),
        ("settings.negatives=0", r"negatives: input should be greater than 0"),
        ("data=mini_link", r"unknown data set 'mini_link'; did you mean 'mini_links'\?"),
    ],
)
def test_bad_settings_are_one_sentence(links, override, said):
    suite = load_suite(SUITE, (override,))

    with pytest.raises(ConfigError, match=said):
        suite.cells(sets.open_set(suite.data).digest)


def test_a_cell_is_plain_json(links):
    (cell, *_) = cells()

    assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key
    assert cell.label == "gcn"


def test_attention_is_told_of_edges_and_learns_with_it(links, tmp_path):
    told = (
        "grid.encoder=[gat]", "settings.network.edges=[adamic_adar, paths_of_length_3]",
        "budget.steps=40",
    )  # fmt: skip
    cell = cells(*told)[0]
    assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key
    assert cell.key != cells("grid.encoder=[gat]", "budget.steps=40")[0].key

    run(cell, tmp_path)

    losses = [row["train/loss"] for row in rows(tmp_path, cell)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["settings.network.edges=[adamic]"], "heuristic 'adamic'.*adamic_adar"),
        (["settings.network.edges=[adamic_adar, adamic_adar]"], "one is given twice"),
        (["settings.network.edges=[adamic_adar]", "settings.masked=true"], "leave out masked"),
        (
            ["settings.network.edges=[adamic_adar]", "settings.neighbours=[3, 3]"],
            "leave out masked and neighbours",
        ),
        (["grid.encoder=[gcn]", "settings.network.edges=[adamic_adar]"], "edges"),
    ],
)
def test_what_cannot_be_told_of_edges_is_refused(links, given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        cells("grid.encoder=[gat]", *given)
