import csv

import pytest

from assay.errors import DataError
from assay.report import ladder
from assay.result import read_result


@pytest.fixture
def result(mini, trained_folder):
    return read_result(trained_folder / "result.json")


def test_a_result_becomes_a_row_and_a_share_becomes_what_is_missing(result, tmp_path):
    (row,) = ladder.rows([result], ["held_out/x_mse", "edm/atom_stability"])

    assert row["label"] == result.label
    assert row["params"] == result.cost.parameters
    assert row["unique"] == min(result.cost.records, result.cost.samples)
    assert row["held_out/x_mse"] == result.estimates["held_out/x_mse"].value
    assert row["1 - edm/atom_stability"] == 1 - result.estimates["edm/atom_stability"].value
    ladder.write_csv([row], tmp_path / "runs.csv")
    (read,) = csv.DictReader((tmp_path / "runs.csv").open())
    assert float(read["flops"]) == result.cost.flops


def test_runs_are_those_of_one_variant(result):
    found = ladder.rows([result], ["held_out/x_mse"])
    other = {**found[0], "label": "another", "seed": 1}

    runs = ladder.runs_of([*found, other], "another", "held_out/x_mse")

    assert len(runs) == 1
    assert runs.loss_R[0] == found[0]["held_out/x_mse"]


def test_what_a_result_does_not_say_is_named(result):
    with pytest.raises(DataError, match="has no estimate fcd/fcd, only "):
        ladder.rows([result], ["fcd/fcd"])
    old = result.model_copy(update={"cost": result.cost.model_copy(update={"records": None})})
    with pytest.raises(DataError, match="does not say how many training records there were"):
        ladder.rows([old], ["held_out/x_mse"])
