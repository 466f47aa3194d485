"""Checkpoints that are whole or absent: safetensors, and a manifest written last.

A checkpoint is a directory `step-<n>`. It is written under a temporary name, its manifest (with
the SHA-256 of every file) last, flushed to disk and renamed. The loader takes the newest one that
verifies and sets aside, loudly, what does not.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from assay.errors import CheckpointError, MachineError

FORMAT = 2
MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by group (`model`, `ema`, `optimizer`) and what else it takes to carry on."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]
    """JSON: cell key, step, stage, meter, FLOP table."""


def save(root: Path, step: int, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write a checkpoint atomically below `root` and remove all but the newest `keep`.

    Raises:
        MachineError: the disk is full or not writable; earlier checkpoints are untouched.
    """
    final = root / _name(step)
    temporary = root / f".{final.name}.{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left_over in root.glob(".step-*"):
            shutil.rmtree(left_over)
        temporary.mkdir()
        files = {}
        for group, tensors in checkpoint.tensors.items():
            path = temporary / f"{group}.safetensors"
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
            files[path.name] = _sha256(path)
            _flush(path)
        manifest = {"format": FORMAT, "step": step, "files": files, "state": checkpoint.state}
        path = temporary / MANIFEST
        path.write_text(json.dumps(manifest, allow_nan=False))
        _flush(path)
        _flush(temporary)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        _flush(root)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise MachineError(
            f"{final}: the checkpoint could not be written ({error}); "
            "free some space and run the same command to carry on from the one before"
        ) from error
    for old in _newest_first(root)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_newest(
    root: Path,
    cell_key: str,
    *,
    set_aside: bool = True,
    wanted: Callable[[Mapping[str, Any]], bool] = lambda state: True,
) -> Checkpoint | None:
    """Return the newest checkpoint that verifies, or None; newer ones are set aside.

    Whoever does not hold the cell's lock must leave them where they are: another may be at work.
    Those whose state is not `wanted` are passed over.

    Raises:
        CheckpointError: a sound checkpoint belongs to another cell.
    """
    for directory in _newest_first(root):
        try:
            state = _read_manifest(directory / MANIFEST)["state"]
            if state["cell_key"] == cell_key and not wanted(state):
                continue
            checkpoint = _load(directory)
        except (OSError, ValueError, KeyError, SafetensorError, CheckpointError) as error:
            if not set_aside:
                log.warning("%s does not verify (%s)", directory, error)
                continue
            aside = directory.with_name(f"quarantine-{directory.name}")
            shutil.rmtree(aside, ignore_errors=True)
            directory.rename(aside)
            log.warning("%s does not verify (%s): set aside as %s", directory, error, aside.name)
            continue
        if checkpoint.state["cell_key"] != cell_key:
            raise CheckpointError(
                f"{directory}: belongs to cell {checkpoint.state['cell_key']}, not to {cell_key}"
            )
        return checkpoint
    return None


def load(root: Path, step: int) -> Checkpoint:
    """Return the checkpoint of a step that another worker has verified.

    Raises:
        CheckpointError: this worker cannot see it, or sees another one.
    """
    try:
        return _load(root / _name(step))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{root / _name(step)}: not readable on this node ({error}); the run store must be a "
            "folder that all nodes see"
        ) from error


def newest(root: Path) -> Path | None:
    """Return the folder of the newest checkpoint by name, not verified; None if there is none."""
    return next(iter(_newest_first(root)), None)


def newest_step(root: Path) -> int:
    """Return the step of the newest checkpoint by name, not verified; 0 if there is none."""
    found = newest(root)
    return int(found.name.removeprefix("step-")) if found else 0


def _name(step: int) -> str:
    return f"step-{step:09d}"


def _load(directory: Path) -> Checkpoint:
    manifest = _read_manifest(directory / MANIFEST)
    if manifest["format"] != FORMAT:
        raise CheckpointError(f"format {manifest['format']}, expected {FORMAT}")
    tensors = {}
    for name, sha256 in manifest["files"].items():
        path = directory / name
        if path.parent != directory or path.is_symlink():
            raise CheckpointError(f"{name!r} in the manifest is no file of this folder")
        if _sha256(path) != sha256:
            raise CheckpointError(f"{name} has another checksum than the manifest says")
        tensors[path.stem] = load_file(path)
    return Checkpoint(tensors, manifest["state"])


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
    except RecursionError as error:
        raise CheckpointError("the manifest is nested too deeply") from error
    parts = (manifest, manifest["files"], manifest["state"]) if isinstance(manifest, dict) else ()
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise CheckpointError("the manifest is not one of a checkpoint")
    if "cell_key" not in manifest["state"]:
        raise CheckpointError("the manifest names no cell")
    return manifest


def _newest_first(root: Path) -> list[Path]:
    return sorted(root.glob("step-*"), reverse=True) if root.exists() else []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
