"""All folds as one, by hand."""

import json

import numpy as np
import pytest

from assay.errors import DataError
from assay.habitability.metrics.folds import Pooled


def write(path, told: dict[int, tuple[str, float, float]]):
    keys = ("group", "habitability", "foretold")
    lines = [{"record": record, **dict(zip(keys, each, strict=True))}
             for record, each in told.items()]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def folds(tmp_path):
    one = write(tmp_path / "one", {3: ("b", 0.8, 0.6), 0: ("a", 0.2, 0.2)})
    two = write(tmp_path / "two", {1: ("c", 0.4, 0.6), 2: ("b", 1.0, 0.8)})
    return [one, two]


def test_figures_are_of_all_planets_about_their_own_mean(folds):
    found = Pooled.read([folds])

    assert found.record_N.tolist() == [0, 1, 2, 3]
    assert found.groups_N == ("a", "c", "b", "b")
    estimates = found.estimates()
    # Labels 0.2, 0.4, 1.0, 0.8 about 0.6: squares sum to 0.4; errors of 0.2 thrice to 0.12.
    assert estimates["folds/r2"].value == pytest.approx(1 - 0.12 / 0.4)
    assert estimates["folds/mae"].value == pytest.approx(0.15)
    assert estimates["folds/mae"].n == 3
    assert 0 <= estimates["folds/mae"].low < 0.15 < estimates["folds/mae"].high <= 0.2 + 1e-9
    assert "folds/mae_beside" not in estimates


def test_of_several_seeds_figures_are_means_and_no_ensemble(folds, tmp_path):
    # The second seed errs as much, the other way: their mean guess would be right of 1, 2 and 3.
    again = [write(tmp_path / "three", {3: ("b", 0.8, 1.0), 0: ("a", 0.2, 0.2)}),
             write(tmp_path / "four", {1: ("c", 0.4, 0.2), 2: ("b", 1.0, 1.2)})]  # fmt: skip

    estimates = Pooled.read([folds, again]).estimates()

    assert estimates["folds/r2"].value == pytest.approx(0.7)
    assert estimates["folds/mae"].value == pytest.approx(0.15)


def test_beside_a_floor_errors_are_paired(folds, tmp_path):
    # A floor whose every error is 0.1 larger: resamples see no spread at all.
    floor = [write(tmp_path / "floor", {0: ("a", 0.2, 0.3), 1: ("c", 0.4, 0.7),
                                        2: ("b", 1.0, 0.7), 3: ("b", 0.8, 0.5)})]  # fmt: skip

    beside = Pooled.read([folds]).estimates(Pooled.read([floor]))["folds/mae_beside"]

    np.testing.assert_allclose([beside.value, beside.low, beside.high], -0.1)


def test_faults_are_one_sentence(folds, tmp_path):
    with pytest.raises(DataError, match="line 1 foretells record 3, as another fold does"):
        Pooled.read([[*folds, folds[0]]])
    with pytest.raises(DataError, match="it foretells other planets than"):
        Pooled.read([folds, folds[:1]])
    with pytest.raises(DataError, match="let it have the same folds"):
        Pooled.read([folds]).estimates(Pooled.read([folds[:1]]))
    old = tmp_path / "old"
    old.write_text('{"planet": "Vulcan"}\n')
    with pytest.raises(DataError, match="old: line 1 has no record; evaluate the cell again"):
        Pooled.read([[old]])
    old.write_text("{\n")
    with pytest.raises(DataError, match="old: line 1 is not JSON"):
        Pooled.read([[old]])
