"""What a model is held against: hard negatives, and the row of heuristics."""

import numpy as np
import pytest

from assay.interactions import metrics
from assay.interactions.data.links import fixed_negatives
from assay.interactions.heuristics import HEURISTICS
from assay.interactions.task import InteractionsTask
from assay.reference import cached_reference, compute_reference, reference_for
from tests.interactions.mini_cells import cells


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
        f"floor/{name}": metrics.hits_at_k(*(of(task.graph, each) for each in pairs), 20)
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
