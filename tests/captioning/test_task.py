import json
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.captioning.generator import Corpus, others
from assay.captioning.task import CaptioningTask
from assay.cell import Cell, load_suite
from assay.cluster.publish import publish
from assay.errors import ConfigError, DataError
from assay.plan import plan_cells
from assay.provenance import code_digest
from assay.reference import compute_reference
from assay.result import Result, read_metrics
from assay.runner import cell_directory, run_cell, train_until
from assay.store import sets
from assay.trained import evaluate_as, open_trained
from assay.training.checkpoint import load_newest
from assay.training.execution import Execution
from tests.test_cell import ROOT
from tests.test_cli import invoke

pytest.importorskip("transformers")

SUITE = ROOT / "sweeps" / "captions_mini.yaml"
TINY = (
    "budget.steps=12",
    "training.batch_size=8",
    "training.validations=1",
    "settings.evaluation_molecules=6",
    "settings.protocols=[whitespace, groups]",
)
SMALL = (
    "settings.generator={small: {size: xs, depth: 1}, decoding: {most_tokens: 16}, "
    "validation_molecules: 16}"
)


def cells(*overrides: str) -> dict[str, Cell]:
    suite = load_suite(SUITE, (*TINY, *overrides))
    found = suite.cells(sets.open_set("mini_captions").digest)
    return {cell.label: cell for cell in found}


def prefix(*overrides: str) -> Cell:
    return cells("grid.generator=[latent_prefix]", "rules=[]", SMALL, *overrides)["latent_prefix"]


def run(cell: Cell, storage: Path, **execution) -> Result:
    return run_cell(cell, Execution(**execution), storage, lambda report: None)


def rows(storage: Path, cell: Cell) -> list[dict[str, float]]:
    """The log without its clock."""
    found = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


def written(storage: Path, cell: Cell) -> list[dict[str, str]]:
    path = cell_directory(storage, cell.key) / "artifacts" / "captions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_assay_train_runs_a_cell_of_the_suite_to_its_result(mini_captions, tmp_path):
    given = [word for override in TINY for word in ("--set", override)]

    invoke("train", str(SUITE), "--cell", "latent_prefix", "--storage", str(tmp_path), *given)

    (path,) = tmp_path.glob("cells/*/result.json")
    found = json.loads(path.read_text())["estimates"]
    assert {"whitespace/bleu4", "autoencoder/whitespace/bleu4"} <= set(found)
    lines = (path.parent / "artifacts" / "captions.jsonl").read_text().splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"smiles", "prediction", "reference"}] * 6


def test_half_a_run_and_its_other_half_are_the_whole_bit_for_bit(mini_captions, tmp_path):
    cell = prefix()
    whole = run(cell, tmp_path / "whole")

    for fraction in (0.25, 0.75):  # within the first and within the second stage
        train_until(cell, Execution(), tmp_path / "parts", lambda report: None, fraction)
    parts = run(cell, tmp_path / "parts")

    assert parts.provenance.resumed == 2
    assert parts.estimates == whole.estimates
    assert rows(tmp_path / "parts", cell) == rows(tmp_path / "whole", cell)
    assert written(tmp_path / "parts", cell) == written(tmp_path / "whole", cell)


def test_the_best_weights_are_of_a_look_within_the_last_stage(mini_captions, tmp_path):
    """Its loss has more parts: the least of all looks is that of the autoencoder, too early."""
    cell = prefix("training.weights=best", "training.validations=12")
    run(cell, tmp_path)

    looks = {row["step"]: row["val/loss"] for row in rows(tmp_path, cell) if "val/loss" in row}
    last = {step: loss for step, loss in looks.items() if step > 6}  # the second half
    directory = cell_directory(tmp_path, cell.key)
    found = load_newest(directory / "checkpoints", cell.key)
    assert len(looks) > len(last) > 1
    assert min(looks.values()) < min(last.values())
    assert found is not None
    assert found.state["best"] == {"value": min(last.values()), "step": min(last, key=last.get)}
    opened = open_trained(directory)
    stage = opened.task.stages()[-1]
    again = opened.task.validate(opened.model, opened.data, stage)
    assert again["loss"] == pytest.approx(min(last.values()), rel=1e-6)


def test_what_takes_no_steps_has_no_weights_to_choose(mini_captions, tmp_path):
    best, last = (
        run(cells(f"training.weights={which}")["retrieval"], tmp_path) for which in ("best", "last")
    )

    assert best.estimates == last.estimates
    assert best.provenance.cell_key != last.provenance.cell_key


def test_halved_micro_batches_train_alike(mini_captions, tmp_path):
    cell = prefix("settings.generator.encoder={size: xs, dropout: 0.2}")
    run(cell, tmp_path / "whole")
    run(cell, tmp_path / "halves", accumulation=2)

    losses = [[row["train/loss"] for row in rows(tmp_path / n, cell)] for n in ("whole", "halves")]

    np.testing.assert_allclose(*losses, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", ["retrieval", "random_caption", "most_common"])
def test_a_baseline_trains_nothing_and_is_judged_alike(mini_captions, tmp_path, name):
    cell = cells("grid.generator=[retrieval, random_caption, most_common]", "rules=[]")[name]

    result = run(cell, tmp_path)

    assert (result.cost.parameters, result.cost.steps, result.cost.flops) == (0, 0, 0)
    assert {"whitespace/bleu4", "groups/precision"} <= set(result.estimates)
    assert run(cell, tmp_path) == result, "what is finished is reused"
    plan = plan_cells({"it": cell}, Execution(), lambda name: None)["it"]
    assert (plan.steps, plan.seconds) == (0, 0)


def test_the_reference_is_the_floor_of_retrieval(mini_captions, tmp_path):
    cell = cells()["retrieval"]

    floor = compute_reference(cell)

    assert floor.name == "caption of the nearest training molecule"
    assert floor.estimates == run(cell, tmp_path).estimates


def test_a_trained_cell_is_evaluated_with_the_graphs_of_others_and_not_trained_again(
    mini_captions, tmp_path
):
    cell = prefix()
    trained = run(cell, tmp_path)

    earlier = trained.provenance.model_copy(update={"code_digest": "0" * 16})
    of_old = trained.model_copy(update={"provenance": earlier})

    control = evaluate_as(tmp_path, of_old, ["settings.generator.graphs=shuffled"])

    assert control.provenance.code_digest == code_digest(), "of who evaluated"
    other = prefix("settings.generator.graphs=shuffled")
    assert control.provenance.cell_key == other.key != cell.key
    assert control.cost.training_seconds == trained.cost.training_seconds
    assert not (cell_directory(tmp_path, other.key) / "checkpoints").exists()
    own, told = ([e["prediction"] for e in written(tmp_path, c)] for c in (cell, other))
    assert told == [own[place] for place in others(6)]
    assert run(other, tmp_path) == control, "what is finished is reused"
    assert evaluate_as(tmp_path, trained, ["settings.generator.graphs=shuffled"]) == control
    with pytest.raises(ConfigError, match="training depends on it"):
        evaluate_as(tmp_path, trained, ["settings.generator.latents=4"])


def test_captions_are_published_beside_results(mini_captions, tmp_path):
    cell = cells()["random_caption"]
    run(cell, tmp_path)

    publish(load_suite(SUITE, TINY), [cell.key], tmp_path, tmp_path / "out")

    assert (tmp_path / "out" / f"{cell.key}.captions.jsonl").exists()


def test_a_molecule_without_a_caption_is_judged_as_one_with_an_empty_caption(mini_captions):
    task = CaptioningTask(cells()["random_caption"])
    data = task.data()
    task.generator.captions = lambda *given: ["", *task._test[1][1:]]

    found = task.evaluate(task.model(data), data, lambda phase, done: None)

    assert found["whitespace/bleu4"].n == 6
    assert found["whitespace/bleu4"].value < 1
    assert task.written[0]["prediction"] == ""


def test_shuffled_graphs_give_each_molecule_the_caption_of_another(mini_captions):
    given, shuffled = (
        CaptioningTask(prefix(f"settings.generator.graphs={graphs}"))
        for graphs in ("given", "shuffled")
    )
    torch.manual_seed(0)
    data = given.data()
    model = given.model(data).eval()

    def texts(task: CaptioningTask) -> list[str]:
        return task.generator.captions(model, data.test, np.arange(6), lambda phase, done: None)

    own = texts(given)
    assert texts(shuffled) == [own[place] for place in others(6)]
    assert "settings.generator.graphs" in CaptioningTask.of_evaluation(given.cell.variant)


@pytest.mark.parametrize("count", [2, 3, 100])
def test_no_molecule_is_its_own_other(count):
    assert not (others(count) == np.arange(count)).any()
    assert sorted(others(count)) == list(range(count))


def test_training_does_not_depend_on_what_is_of_evaluation(mini_captions):
    free = CaptioningTask.of_evaluation({"generator": "latent_prefix"})

    assert {
        "settings.protocols",
        "settings.evaluation_molecules",
        "settings.generator.decoding.method",
        "settings.generator.decoding.beams",
    } <= free


def test_protocols_by_default_ask_the_mini_set_for_no_assets_and_others_for_molt5(mini_captions):
    cell = json.loads(prefix("settings.protocols=null").model_dump_json())
    real = cell | {"data": {"name": "captions_pool", "digest": "0" * 16}}

    assert CaptioningTask.protocol_of(cell).startswith("sacrebleu ")
    assert CaptioningTask.protocol_of(real).startswith("molt5 1, sacrebleu ")


def test_assets_that_are_not_prepared_are_one_sentence(mini_captions, tmp_path):
    pytest.importorskip("nltk")
    cell = prefix("settings.protocols=[molt5]")

    with pytest.raises(DataError, match=r"protocol molt5: .*assay data prepare caption-metrics"):
        run(cell, tmp_path)


def test_a_set_without_captions_for_training_is_one_sentence(mini_captions, monkeypatch):
    monkeypatch.setattr("assay.captioning.task.Corpus.of", lambda records: Corpus([], []))

    with pytest.raises(DataError, match="mini_captions: holds no captions to learn from"):
        CaptioningTask(prefix())


def test_fewer_training_records_teach_the_vocabulary_and_the_retrieval_less(mini_captions):
    few = CaptioningTask(prefix("training.records=40"))
    pool = CaptioningTask(cells("training.records=40")["retrieval"])

    assert len(pool.generator.corpus) == 40
    whole = CaptioningTask(prefix()).generator.vocabulary
    caption = [CaptioningTask(prefix()).texts.test.captions[0]]
    assert few.generator.vocabulary.encode(caption) != whole.encode(caption)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid.generator=[latent_prefx]", r"unknown generator 'latent_prefx'; did you mean"),
        ("grid={model: [retrieval]}", "a variant is a generator, not"),
        ("settings.generator.latnts=8", r"unknown key 'generator.latnts'; did you mean 'latents'"),
        ("settings.protocols=[molt6]", r"unknown protocol 'molt6'; did you mean 'molt5'\?"),
        ("settings.protocols=[molt5, molt5]", "name at least one, each once"),
        ("settings.generator.small.size=xl", r"there is xs, s, m"),
        ("settings.generator.finetuned=false", "starts from nothing has to learn"),
        ("settings.generator.language_model=/nowhere", "/nowhere is no folder here"),
        ("settings.generator.language_model=t5-small", "give an absolute path, or the commit"),
        (
            "settings.generator={mse: 0, cosine: 0, cross_entropy: 0}",
            "one weight at least is greater than 0",
        ),
        (
            "settings.generator={cross_entropy: 0, unfrozen_layers: 1}",
            "unfrozen_layers learn by cross_entropy, whose weight is 0",
        ),
        ("settings.generator={latents: 32, context: 16}", "latents 32 of a context of 16"),
        ("settings.generator.decoding.beams=4", "beams belongs to method beam; this is greedy"),
        ("settings.generator.decoding={method: beam, nucleus: 0.9}", "nucleus belongs to method"),
        ("settings.generator.decoding.candidates=3", "candidates belong to methods beam and"),
        ("settings.generator.neighbour_tokens=8", "belong to neighbours, of which there are none"),
        ("settings.generator.masking={}", "contrast and masking belong to pretrain_share"),
        ("settings.generator.pretrain_share=0.5", "leave nothing to the graph"),
        ("data=mini_links", "holds no captions"),
    ],
)
def test_bad_settings_are_one_sentence(mini_captions, override, said):
    grid = () if override.startswith("grid") else ("grid.generator=[latent_prefix]",)
    suite = load_suite(SUITE, ("rules=[]", SMALL, *grid, override))

    with pytest.raises(ConfigError, match=said):
        CaptioningTask(suite.cells(sets.prepare(suite.data).digest)[0])


def test_more_unfrozen_layers_than_there_are_is_one_sentence(mini_captions):
    task = CaptioningTask(prefix("settings.generator.unfrozen_layers=2"))

    with pytest.raises(ConfigError, match="unfrozen_layers 2: the decoder has 1 layers"):
        task.model(task.data())


def test_a_cell_is_plain_json(mini_captions):
    for cell in cells().values():
        assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key
