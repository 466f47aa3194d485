import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cell import Cell, load_suite
from assay.errors import ConfigError, TrainingError
from assay.interactions import metrics
from assay.interactions.data.links import fixed_negatives
from assay.interactions.features.structures import known_structures
from assay.interactions.heuristics import HEURISTICS
from assay.interactions.task import InteractionsTask
from assay.reference import cached_reference, compute_reference, reference_for
from assay.result import Result, read_metrics
from assay.runner import cell_directory, run_cell, train_until
from assay.store import sets
from assay.task import Stage
from assay.trained import evaluate_as
from assay.training.loop import Execution
from tests.test_cell import ROOT

STAGE = Stage("train")
SUITE = ROOT / "sweeps" / "links_mini.yaml"


def cells(*overrides: str) -> tuple[Cell, ...]:
    return load_suite(SUITE, overrides).cells(sets.open_set("mini_links").digest)


def run(cell: Cell, storage: Path, **execution) -> Result:
    return run_cell(cell, Execution(**execution), storage, lambda report: None)


def rows(storage: Path, cell: Cell) -> list[dict[str, float]]:
    """The log without its clock."""
    found = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


@pytest.fixture
def task(links) -> InteractionsTask:
    return InteractionsTask(cells("settings.negatives=3")[0])


@pytest.fixture
def model(task):
    torch.manual_seed(0)
    return task.model(task.data())


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


def test_hard_negatives_are_made_once_for_a_data_set(task, model, monkeypatch):
    evaluate = lambda of: of.evaluate(model, task.data(), lambda phase, done: None)  # noqa: E731
    first = evaluate(task)

    def made_again(*given):
        raise AssertionError

    monkeypatch.setattr("assay.interactions.hard_negatives.candidates", made_again)
    assert evaluate(InteractionsTask(task.cell)) == first
    monkeypatch.setattr("assay.interactions.hard_negatives.VERSION", "another")
    with pytest.raises(AssertionError):
        evaluate(task)


def test_the_row_that_is_held_against_names_the_other_heuristics(task):
    (cell, *_) = cells()
    pairs = [
        task.data().test.batch(np.arange(505)).pairs_B2.numpy(),
        fixed_negatives(task.packed, "test").numpy(),
    ]
    expected = {
        f"floor/{name.lower().replace(' ', '_').replace('-', '_')}": metrics.hits_at_k(
            *(of(task.graph, each) for each in pairs), 20
        )
        for name, of in HEURISTICS.items()
    }
    own = expected.pop("floor/paths_of_length_3")

    found = compute_reference(cell).estimates

    assert found["ogb/hits_at_20"] == own
    assert {name: each for name, each in found.items() if name.startswith("floor/")} == expected


def test_a_row_that_is_held_against_is_of_the_table_that_tells_edges_apart(links, tmp_path):
    (best, *_), (study, *_) = cells(), cells("settings.features.structures=study")
    kept = reference_for(best, tmp_path)
    assert not any(name.startswith("coverage/") for name in kept.estimates)

    found = reference_for(study, tmp_path)

    assert found.provenance == {**kept.provenance, "structures": "study"}
    assert "coverage/hits_at_20_none" in found.estimates
    assert cached_reference(tmp_path / "references" / study.data.digest[:16], best) is None


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


STUDY = "settings.features={sources: [morgan], structures: study, missing: %s}"


@pytest.mark.parametrize("missing", ["zeros", "random", "mean", "fallback", "per_node"])
def test_every_treatment_of_missing_structures_trains_and_is_told_by_coverage(
    links, tmp_path, missing
):
    (cell, *_) = cells("budget.steps=30", STUDY % missing)

    result = run(cell, tmp_path)

    kinds = [result.estimates[f"coverage/hits_at_20_{k}"] for k in ("none", "one", "both")]
    assert sum(kind.n for kind in kinds) == result.estimates["ogb/hits_at_20"].n == 505
    assert all(kind.n > 50 for kind in kinds)
    mean = sum(kind.value * kind.n for kind in kinds) / 505
    assert mean == pytest.approx(result.estimates["ogb/hits_at_20"].value)


def test_a_structure_that_does_not_parse_is_unknown_to_coverage_and_told_in_the_description(task):
    smiles = np.asarray(task.packed.arrays["smiles"]).copy()
    smiles[3] = b"C1CC"
    task.packed = replace(task.packed, arrays={**task.packed.arrays, "smiles": smiles})

    told = task.data().description

    assert told.endswith("; 1 structures do not parse and count as unknown: nodes 3 (C1CC)")
    known_V = known_structures(task.packed, task.chosen.features)
    assert np.flatnonzero(~known_V).tolist() == [3]


def test_what_nodes_are_given_is_an_axis_of_a_grid(links):
    beside = ("zeros_ids", "mean_ids", "fallback_ids")
    axis = f"grid={{encoder: [gcn], nodes: [ids, zeros, per_node, fallback, {', '.join(beside)}]}}"
    given = (axis, "seeds=[0]", "settings.features={sources: [morgan], structures: study}")

    found = {cell.variant["nodes"]: cell for cell in cells(*given)}

    features = {name: cell.settings.features for name, cell in found.items()}
    assert [features[name].missing for name in ("zeros", "per_node")] == ["zeros", "per_node"]
    assert {name for name, of in features.items() if of.sources} == set(features) - {"ids"}
    assert {name: of.ids for name, of in features.items() if of.ids} == dict.fromkeys(beside, 64)
    assert [features[name].missing for name in beside] == ["zeros", "mean", "fallback"]
    wide = {cell.variant["nodes"]: cell for cell in cells(*given, "settings.features.ids=48")}
    assert [wide[name].settings.features.ids for name in beside] == [48] * 3
    assert wide["ids"].key == found["ids"].key
    assert found["per_node"].label == "gcn-per_node"
    for cell in found.values():
        assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key


def test_learned_rows_alone_are_trained_once_for_both_tables_of_structures(links, tmp_path):
    axis = ("grid={encoder: [gcn], nodes: [ids]}", "budget.steps=20")
    (cell, *_), (other, *_) = cells(*axis), cells(*axis, "settings.features.structures=study")
    trained = run(cell, tmp_path)

    found = evaluate_as(tmp_path, trained, ["settings.features.structures=study"])

    assert found.provenance.cell_key == other.key != cell.key
    assert run(other, tmp_path) == found, "what is finished is reused"
    assert {n: e for n, e in found.estimates.items() if n in trained.estimates} == trained.estimates
    assert "coverage/hits_at_20_none" in set(found.estimates) - set(trained.estimates)
    directory = cell_directory(tmp_path, other.key)
    assert not (directory / "checkpoints").exists()


def test_of_features_training_depends_on_the_table(links, tmp_path):
    axis = ("grid={encoder: [gcn], nodes: [zeros]}", "budget.steps=2")
    (cell, *_) = cells(*axis, "settings.features={sources: [morgan]}")

    with pytest.raises(ConfigError, match=r"features\.structures: training depends on it"):
        evaluate_as(tmp_path, run(cell, tmp_path), ["settings.features.structures=study"])


@pytest.mark.parametrize("missing", ["mean", "fallback"])
def test_a_treatment_beside_that_of_the_grid_is_refused(links, missing):
    given = f"settings.features={{sources: [morgan], missing: {missing}}}"

    with pytest.raises(ConfigError, match="what the grid's nodes say, zeros for zeros; leave it"):
        cells("grid={encoder: [gcn], nodes: [zeros]}", given)


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


def test_features_can_stand_beside_learned_rows(links):
    (cell, *_) = cells("settings.features={sources: [morgan, descriptors], ids: 8}")
    task = InteractionsTask(cell)

    model = task.model(task.data())

    assert model.nodes.columns == 8 + 32
    assert model.nodes.features.proj.in_features > 2048 + 200


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
