import json
import logging

import pytest
import torch

from assay.errors import CheckpointError, MachineError
from assay.training.checkpoint import MANIFEST, Checkpoint, load_newest, save

KEY = "a" * 16


def checkpoint(value: float, key: str = KEY) -> Checkpoint:
    return Checkpoint({"model": {"w": torch.full((3,), value)}}, {"cell_key": key, "step": value})


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    tensors = {"w": torch.randn(5, 3), "half": torch.randn(4).bfloat16()}
    save(tmp_path, 7, Checkpoint({"model": tensors, "ema": tensors}, {"cell_key": KEY}))

    loaded = load_newest(tmp_path, KEY)

    assert loaded is not None
    assert loaded.state["cell_key"] == KEY
    for group in ("model", "ema"):
        for name, tensor in tensors.items():
            assert torch.equal(loaded.tensors[group][name], tensor)
            assert loaded.tensors[group][name].dtype == tensor.dtype


def test_only_the_newest_are_kept(tmp_path):
    for step in (1, 2, 10):
        save(tmp_path, step, checkpoint(step), keep=2)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000002", "step-000000010"]


def test_nothing_to_load_is_none(tmp_path):
    assert load_newest(tmp_path / "absent", KEY) is None


def flip_a_byte(directory):
    path = directory / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        flip_a_byte,
        lambda d: (d / "model.safetensors").write_bytes(b""),
        lambda d: (d / "model.safetensors").unlink(),
        lambda d: (d / MANIFEST).unlink(),
        lambda d: (d / MANIFEST).write_text('{"format": 1, "files": {'),
        lambda d: (d / MANIFEST).write_text(json.dumps({"format": 99, "files": {}, "state": {}})),
    ],
    ids=["flipped", "empty", "missing", "no manifest", "torn manifest", "another format"],
)
def test_a_harmed_checkpoint_is_set_aside_loudly_for_the_one_before(tmp_path, caplog, harm):
    save(tmp_path, 1, checkpoint(1.0))
    newest = save(tmp_path, 2, checkpoint(2.0))
    harm(newest)

    with caplog.at_level(logging.WARNING):
        loaded = load_newest(tmp_path, KEY)

    assert loaded is not None
    assert loaded.state["step"] == 1.0
    assert (tmp_path / "quarantine-step-000000002").exists()
    assert "does not verify" in caplog.text


def test_a_manifest_cannot_name_files_elsewhere(tmp_path):
    newest = save(tmp_path / "root", 1, checkpoint(1.0))
    (tmp_path / "root" / "outside.safetensors").write_bytes(b"x")
    manifest = json.loads((newest / MANIFEST).read_text())
    manifest["files"] = {"../outside.safetensors": "0" * 64}
    (newest / MANIFEST).write_text(json.dumps(manifest))

    assert load_newest(tmp_path / "root", KEY) is None


def test_another_cells_checkpoint_is_refused(tmp_path):
    save(tmp_path, 1, checkpoint(1.0, key="b" * 16))

    with pytest.raises(CheckpointError, match="belongs to cell bbbb"):
        load_newest(tmp_path, KEY)


def test_left_overs_of_a_crash_are_never_loaded_and_are_removed(tmp_path):
    save(tmp_path, 1, checkpoint(1.0))
    (tmp_path / ".step-000000002.123").mkdir()

    loaded = load_newest(tmp_path, KEY)
    save(tmp_path, 3, checkpoint(3.0))

    assert loaded is not None
    assert loaded.state["step"] == 1.0
    assert not list(tmp_path.glob(".step-*"))


def test_a_failed_write_keeps_the_one_before_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    save(tmp_path, 1, checkpoint(1.0))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assay.training.checkpoint.save_file", full)
    with pytest.raises(MachineError, match="No space left on device"):
        save(tmp_path, 2, checkpoint(2.0))

    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]
