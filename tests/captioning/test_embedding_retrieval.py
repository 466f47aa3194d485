import numpy as np
import pytest
import torch

from assay.captioning.data.captions import captions_of, splits
from assay.captioning.embedding_retrieval import EmbeddingRetrieval, EmbeddingRetrievalSettings
from assay.captioning.generator import Corpus, others
from assay.captioning.retrieval import nearest_captions
from assay.captioning.task import CaptioningTask
from assay.cell import Cell
from assay.runner import run_cell
from assay.store import sets
from assay.trained import evaluate_as
from assay.training.execution import Execution

pytest.importorskip("tokenizers")

SMALL = {"encoder": {"size": "xs"}, "contrast": {"width": 32, "vocabulary": 400}}
MEASURED = {"retrieval/mrr", "retrieval/recall_at_1", "retrieval/recall_at_10"}
SILENT = lambda phase, done: None  # noqa: E731


@pytest.fixture
def data(mini_captions):
    return splits(captions_of(sets.open_set("mini_captions")))


def made(data, **settings):
    """A generator, its model and the test split as it reads it."""
    chosen = EmbeddingRetrievalSettings.model_validate({**SMALL, **settings})
    generator = EmbeddingRetrieval(chosen, 0, Corpus.of(data.train))
    torch.manual_seed(0)
    return generator, generator.model().eval(), generator.records(data.test)


def cell_of(steps, **settings):
    return Cell.model_validate(
        {
            "family": "captioning",
            "variant": {"generator": "embedding_retrieval"},
            "data": {"name": "mini_captions", "digest": sets.open_set("mini_captions").digest},
            "seed": 0,
            "budget": {"steps": steps},
            "training": {
                "batch_size": 64, "learning_rate": 5e-3, "ema_decay": 0.9, "weights": "best",
            },
            "settings": {"generator": {**SMALL, **settings}, "protocols": ["whitespace"]},
        }
    )  # fmt: skip


def run(cell, storage):
    return run_cell(cell, Execution(), storage, lambda report: None)


def test_what_has_learned_finds_captions_that_what_has_not_does_not(mini_captions, tmp_path):
    untrained, trained = (run(cell_of(steps), tmp_path) for steps in (1, 60))

    assert set(trained.estimates) >= MEASURED
    before, after = untrained.estimates["retrieval/mrr"], trained.estimates["retrieval/mrr"]
    assert after.low > before.high
    assert (
        trained.estimates["whitespace/bleu4"].value > untrained.estimates["whitespace/bleu4"].value
    )
    assert "retrieval 1" in trained.provenance.protocol

    control = evaluate_as(tmp_path, trained, ["settings.generator.graphs=shuffled"])
    assert control.estimates["retrieval/mrr"].high < after.low
    alone = evaluate_as(tmp_path, trained, ["settings.generator.weight=0.0"])
    assert alone.estimates["retrieval/mrr"] == after, "weight chooses captions alone"
    assert alone.estimates["whitespace/bleu4"] != trained.estimates["whitespace/bleu4"]


def test_without_weight_it_is_the_floor(data):
    generator, model, test = made(data, weight=0.0)

    found = generator.captions(model, test, np.arange(len(test)), SILENT)

    train = data.train
    assert found == nearest_captions(data.test.smiles, train.smiles, train.captions)
    hybrid, *_ = made(data, weight=0.5)
    assert hybrid.captions(model, test, np.arange(len(test)), SILENT) != found


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_graphs_of_others_find_the_captions_of_others(data, weight):
    given, model, test = made(data, weight=weight)
    shuffled, *_ = made(data, weight=weight, graphs="shuffled")
    own = given.captions(model, test, np.arange(12), SILENT)

    assert shuffled.captions(model, test, np.arange(12), SILENT) == [own[k] for k in others(12)]


def test_captions_that_read_alike_are_one(data):
    generator, model, test = made(data)
    twice = np.array([0, 1, 2, 0])

    once, again = (
        generator.estimates(model, test, places, SILENT) for places in (twice[:3], twice)
    )

    assert set(once) == MEASURED
    assert (once["retrieval/mrr"].n, again["retrieval/mrr"].n) == (3, 4)
    assert again["retrieval/recall_at_10"].value == 1, "three texts are all among the first ten"


def test_the_loss_has_its_parts_and_its_gradient_reaches_all_that_learns(data):
    generator, model, test = made(data, masking={})
    (stage,) = generator.stages(test)

    found = generator.loss(model.train(), test.batch(np.arange(16)), stage, 0)
    found.total.backward()

    assert set(found.parts) == {"contrast", "masking"}
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    looked = generator.validate(model.eval(), test, stage)
    assert looked["loss"] == pytest.approx(looked["contrast"] + looked["masking"], rel=1e-5)


def test_only_how_it_is_asked_is_of_evaluation(mini_captions):
    free = CaptioningTask.of_evaluation({"generator": "embedding_retrieval"})

    own = {key for key in free if key.startswith("settings.generator.")}
    assert own == {"settings.generator.graphs", "settings.generator.weight"}
