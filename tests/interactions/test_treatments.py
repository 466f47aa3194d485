"""What nodes are given and what stands where that is missing, in whole cells."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.cell import Cell
from assay.errors import ConfigError, MachineError
from assay.interactions.features.structures import known_structures
from assay.interactions.task import InteractionsTask
from assay.runner import cell_directory
from assay.trained import evaluate_as
from tests.interactions.mini_cells import cells, run

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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_nothing_is_evaluated_on_a_gpu_that_is_not_here(links, tmp_path):
    (cell, *_) = cells("grid={encoder: [gcn], nodes: [ids]}", "budget.steps=2")
    study = ["settings.features.structures=study"]

    with pytest.raises(MachineError, match="no CUDA device"):
        evaluate_as(tmp_path, run(cell, tmp_path), study, torch.device("cuda"))


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


def test_features_can_stand_beside_learned_rows(links):
    (cell, *_) = cells("settings.features={sources: [morgan, descriptors], ids: 8}")
    task = InteractionsTask(cell)

    model = task.model(task.data())

    assert model.nodes.columns == 8 + 32
    assert model.nodes.features.proj.in_features > 2048 + 200
