import json

import numpy as np
import pytest
import torch
from rdkit import Chem

from assay.captioning.data.captions import CaptionRecords
from assay.captioning.rewriting import rewritten
from assay.captioning.task import CaptioningTask
from assay.cell import Cell
from assay.report.told_apart import names
from assay.runner import run_cell
from assay.store import sets
from assay.trained import evaluate_as
from assay.training.execution import Execution
from tests.captioning.bridge.small import SCRATCH, SMALL
from tests.captioning.test_graphs import SAMPLE

pytest.importorskip("transformers")

WRITINGS = ("canonical", "randomised", "kekulised")
PREFIX = {"small": {"size": "xs", "depth": 1}, "decoding": {"most_tokens": 12}}
BRIDGE = {**SMALL, "scratch": SCRATCH, "gate": {"required": False}}
FIRST = np.arange(8)


def cell_of(generator, settings, smiles="given"):
    return Cell.model_validate(
        {
            "family": "captioning",
            "variant": {"generator": generator},
            "data": {"name": "mini_captions", "digest": sets.open_set("mini_captions").digest},
            "seed": 0,
            "budget": {"steps": 6},
            "training": {"batch_size": 8, "records": 64, "validations": 0},
            "settings": {
                "generator": settings, "smiles": smiles,
                "evaluation_molecules": 8, "protocols": ["whitespace", "groups"],
            },
        }
    )  # fmt: skip


def opened(cell):
    """The test split as it is read, and what a model that learned nothing says of the first."""
    task = CaptioningTask(cell)
    data = task.data()
    torch.manual_seed(0)
    model = task.model(data).eval()
    texts = task.generator.captions(model, data.test, FIRST, lambda phase, done: None)
    return task, data.test.batch(np.arange(len(data.test))), texts


@pytest.mark.parametrize("writing", WRITINGS)
def test_it_is_the_same_molecule(writing):
    molecules = [Chem.MolFromSmiles(one) for one in SAMPLE]
    again = [rewritten(one, writing, place) for place, one in enumerate(SAMPLE)]

    assert list(map(Chem.CanonSmiles, again)) == list(map(Chem.MolToSmiles, molecules))
    assert again == [rewritten(one, writing, place) for place, one in enumerate(SAMPLE)]
    if writing == "kekulised":
        assert not any(atom in one for one in again for atom in ("c1", "n1", "[nH]"))


def test_a_random_order_is_of_the_record():
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"

    assert len({rewritten(aspirin, "randomised", place) for place in range(20)}) > 10
    assert len({rewritten(aspirin, "canonical", place) for place in range(20)}) == 1


@pytest.mark.parametrize("writing", ["randomised", "kekulised"])
@pytest.mark.parametrize(
    ("generator", "settings"),
    [
        ("latent_prefix", PREFIX),
        ("solid_bridge", {**BRIDGE, "inputs": "graph"}),
        ("embedding_retrieval", {"encoder": {"size": "xs"}}),
        ("retrieval", {}),
    ],
)
def test_what_reads_graphs_alone_says_the_same(mini_captions, generator, settings, writing):
    _, given, texts = opened(cell_of(generator, settings))
    task, other, others = opened(cell_of(generator, settings, writing))

    assert others == texts
    assert sum(a != b for a, b in zip(given.smiles, other.smiles, strict=True)) > 20
    assert torch.equal(given.graphs.atoms_NA, other.graphs.atoms_NA)
    assert torch.equal(given.graphs.edges_2M, other.graphs.edges_2M)
    assert isinstance(task.texts.test, CaptionRecords), "the judge's are as given"
    assert task._test[0] == list(given.smiles[:8])


@pytest.mark.parametrize("inputs", ["both", "smiles"])
def test_what_reads_smiles_is_given_another_prompt(mini_captions, inputs):
    _, given, _ = opened(cell_of("solid_bridge", {**BRIDGE, "inputs": inputs}))
    _, other, _ = opened(cell_of("solid_bridge", {**BRIDGE, "inputs": inputs}, "randomised"))

    prompts = [each.prompts(0)[0] for each in (given, other)]
    assert prompts[0].shape != prompts[1].shape or not torch.equal(*prompts)
    assert given.captions == other.captions


def test_nothing_is_trained_again_and_cells_of_before_keep_their_keys(mini_captions, tmp_path):
    cell = cell_of("latent_prefix", PREFIX)
    assert "smiles" not in json.loads(cell.model_dump_json())["settings"]
    trained = run_cell(cell, Execution(), tmp_path, lambda report: None)

    again = [evaluate_as(tmp_path, trained, [f"settings.smiles={how}"]) for how in WRITINGS]

    assert len({trained.provenance.cell_key, *(r.provenance.cell_key for r in again)}) == 4
    assert all(result.estimates == trained.estimates for result in again)
    assert set(names([trained, *again]).values()) == {
        f"latent_prefix, smiles={how}" for how in ("given", *WRITINGS)
    }
