"""A trained cell can be sampled otherwise, and nothing that was trained can be changed."""

import shutil

import numpy as np
import pytest
import torch

from assay import trained
from assay.chemistry.formats import read_molecules
from assay.errors import CheckpointError, ConfigError, DataError
from assay.lookup import find, weights_folder
from assay.result import read_result
from assay.trained import open_trained
from tests.test_cli import invoke


def test_it_evaluates_to_what_it_was_published_with(mini, trained_folder):
    trained = open_trained(trained_folder)

    found = trained.task.evaluate(trained.model, trained.data, lambda phase, done: None)

    assert found == read_result(trained_folder / "result.json").estimates
    assert trained.cell == trained.trained_as


def test_samples_with_other_steps_come_from_the_same_weights(mini, trained_folder, tmp_path):
    one, other = (
        open_trained(trained_folder),
        open_trained(trained_folder, ["settings.process.steps=7"]),
    )

    weights = zip(one.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert (one.task.process.evaluations, other.task.process.evaluations) == (4, 7)
    out = tmp_path / "s.npz"
    said = invoke(
        "sample", str(trained_folder), "--out", str(out), "--count", "5", "--set",
        "settings.process.steps=7",
    )  # fmt: skip
    samples, rejected = read_molecules(out)
    assert "5 samples by 7 evaluations each" in " ".join(said.split())
    assert len(samples) + len(rejected) == 5


def test_a_cell_is_named_by_its_key_its_folder_or_its_result(mini, trained_folder, tmp_path):
    storage, key = trained_folder.parent.parent, trained_folder.name
    published = tmp_path / "elsewhere.json"
    shutil.copy(trained_folder / "result.json", published)

    words = (key, key[:6], trained_folder, trained_folder / "result.json", published)
    for word in map(str, words):
        assert weights_folder(find(word, storage, tmp_path), storage) == trained_folder
    with pytest.raises(ConfigError, match=r"elsewhere\.json: comes without weights, and .* has no"):
        weights_folder(find(str(published), tmp_path, tmp_path), tmp_path)


def test_molecules_are_drawn_as_xyz_that_anybody_reads(mini, trained_folder, tmp_path):
    named = [trained_folder.name[:6], "--storage", str(trained_folder.parent.parent)]
    found = {}
    for name in ("s.npz", "s.xyz", "s.extxyz"):
        invoke("sample", *named, "-n", "5", "--out", str(tmp_path / name))
        found[name] = read_molecules(tmp_path / name)

    drawn, rejected = found.pop("s.npz")
    assert len(drawn) + len(rejected) == 5
    for samples, refused in found.values():
        assert len(refused) == len(rejected)
        np.testing.assert_array_equal(samples.positions, drawn.positions)
        np.testing.assert_array_equal(samples.numbers, drawn.numbers)
        np.testing.assert_array_equal(samples.n_atoms, drawn.n_atoms)
    read = pytest.importorskip("ase.io").read
    frames = read(tmp_path / "s.xyz", ":")
    assert len(frames) == 5
    assert not any(frame.pbc.any() for frame in frames)


def test_the_number_of_samples_is_said_once(mini, trained_folder, tmp_path):
    out = ["--out", str(tmp_path / "s.npz")]
    with pytest.raises(ConfigError, match="draws --count samples"):
        invoke("sample", str(trained_folder), *out, "--set", "settings.evaluation_samples=3")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed=3", "seed: training depends on it"),
        ("settings.network.width=32", r"settings\.network\.width: training depends on it"),
        ("settings.process.schedule=linear", r"process\.schedule: .* can be changed .*steps"),
        ("settings.process.stepz=3", "unknown key"),
    ],
)
def test_what_was_trained_cannot_be_changed(mini, trained_folder, override, sentence):
    with pytest.raises(ConfigError, match=sentence):
        open_trained(trained_folder, [override])


def test_a_folder_without_weights_of_the_end_is_refused(mini, trained_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained_folder, copy)
    for weights in copy.glob("checkpoints/*/ema.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-1])

    before = sorted(copy.glob("checkpoints/*"))
    with pytest.raises(CheckpointError, match="holds no checkpoint that verifies"):
        open_trained(copy)
    assert sorted(copy.glob("checkpoints/*")) == before  # whoever trains it decides
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(CheckpointError, match="holds no checkpoint that verifies"):
        open_trained(copy)
    with pytest.raises(DataError, match="not readable as JSON"):
        open_trained(tmp_path)


def test_weights_of_another_model_are_refused(mini, trained_folder, monkeypatch):
    weights = trained._weights

    def of_before(directory, cell):
        found = dict(weights(directory, cell))
        found.pop(next(iter(found)))
        return found

    monkeypatch.setattr(trained, "_weights", of_before)
    with pytest.raises(CheckpointError, match="made by code with another model than the present"):
        open_trained(trained_folder)


def test_training_that_stands_in_its_middle_is_refused(mini, trained_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("assay.trained.Meter.spent", lambda self, budget: 0.4)

    with pytest.raises(CheckpointError, match="training stands at 40% of its budget"):
        open_trained(trained_folder)
