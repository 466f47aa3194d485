"""Files of crystals, scored as `assay evaluate crystals` does."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from assay.chemistry.crystal_formats import write_extxyz
from assay.chemistry.npz import write_npz
from assay.errors import ConfigError, DataError
from assay.generation.metrics.evaluate import evaluate_crystals, evaluate_predictions, table
from assay.store import sets
from assay.store.locations import cache_root
from tests.generation.metrics.crystal_samples import remade


@pytest.fixture
def few(mini_crystals):
    """The first forty crystals of the test split of the mini set."""
    return sets.open_set("mini_crystals").crystals_of("test").select(np.arange(40))


def test_real_crystals_are_scored_beside_the_data_s_own_row(few, tmp_path):
    write_npz(tmp_path / "few.npz", few)

    document = evaluate_crystals(tmp_path / "few.npz", "mini_crystals", processes=1)

    json.dumps(document, allow_nan=False)
    metrics = document["metrics"]
    assert metrics["cdvae/structural_validity"]["value"] == 1.0
    assert metrics["cdvae/cov_precision"]["value"] == 1.0  # they are part of the test split
    assert metrics["matcher/novelty"]["n"] > 0
    assert document["provenance"]["protocols"] == {"cdvae": "1", "matcher": "1"}
    row = document["provenance"]["reference"]
    assert row["name"] == "mini_crystals"
    assert row["metrics"]["cdvae/validity"]["value"] > 0.9
    shown = io.StringIO()
    Console(file=shown, width=100).print(table(document))
    assert "structural_validity" in shown.getvalue()
    assert "mini_crystals" in shown.getvalue()


def test_a_bad_record_is_named_and_counts_as_a_failure(few, tmp_path):
    left_handed = few.lattices.copy()
    left_handed[1, 0] *= -1
    write_extxyz(tmp_path / "few.extxyz", remade(few, lattices=left_handed))

    document = evaluate_crystals(tmp_path / "few.extxyz", None, 1, ["cdvae"])

    assert [entry["record"] for entry in document["rejected"]] == [2]
    assert "left-handed" in document["rejected"][0]["reason"]
    validity = document["metrics"]["cdvae/structural_validity"]
    assert validity["n"] == 40
    assert validity["value"] == pytest.approx(39 / 40)


def test_a_reference_of_molecules_is_refused(few, tmp_path):
    write_npz(tmp_path / "few.npz", few)

    with pytest.raises(ConfigError, match="mini: holds no crystals"):
        evaluate_crystals(tmp_path / "few.npz", "mini", processes=1)


def test_predictions_are_scored_against_their_targets_and_one_unreadable_matches_nothing(
    few, tmp_path
):
    targets = few.select(np.arange(4))
    write_npz(tmp_path / "targets.npz", targets)
    twice = targets.select(np.repeat(np.arange(4), 2))
    left_handed = twice.lattices.copy()
    left_handed[[2, 4, 5], 0] *= -1  # one of the second target's, both of the third's
    write_extxyz(tmp_path / "predicted.extxyz", remade(twice, lattices=left_handed))

    document = evaluate_predictions(tmp_path / "predicted.extxyz", tmp_path / "targets.npz", 1)

    json.dumps(document, allow_nan=False)
    rate = document["metrics"]["csp/match_rate"]
    assert (rate["value"], rate["n"]) == (0.75, 4)
    assert [entry["record"] for entry in document["rejected"]] == [3, 5, 6]
    assert document["provenance"]["targets"] == "targets.npz"
    shown = io.StringIO()
    Console(file=shown, width=100).print(table(document))
    assert "3 of 8 records rejected" in shown.getvalue()


def test_predictions_that_cannot_be_those_of_the_targets_are_refused(few, tmp_path):
    write_npz(tmp_path / "three.npz", few.select(np.arange(3)))
    write_npz(tmp_path / "two.npz", few.select(np.arange(2)))

    with pytest.raises(DataError, match=r"three\.npz: 3 predictions cannot be those of 2 targets"):
        evaluate_predictions(tmp_path / "three.npz", tmp_path / "two.npz", 1)
    left_handed = few.lattices.copy()
    left_handed[1, 0] *= -1
    write_extxyz(tmp_path / "bad.extxyz", remade(few, lattices=left_handed))
    with pytest.raises(DataError, match=r"bad\.extxyz: record 2: .*; a target must be usable"):
        evaluate_predictions(tmp_path / "three.npz", tmp_path / "bad.extxyz", 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"metrics": {}}'])
def test_a_damaged_row_of_data_is_named(few, tmp_path, monkeypatch, content):
    write_npz(tmp_path / "few.npz", few)
    evaluate_crystals(tmp_path / "few.npz", "mini_crystals", 1, ["matcher"])
    (row,) = (cache_root() / "data_rows").glob("matcher-*.json")
    whole = row.read_text()
    row.write_text(content)
    try:
        with pytest.raises(DataError, match=rf"{row.name}: "):
            evaluate_crystals(tmp_path / "few.npz", "mini_crystals", 1, ["matcher"])
    finally:
        row.write_text(whole)
