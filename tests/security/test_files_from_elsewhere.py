"""Files that somebody else made: nothing is written outside, run, or allowed to fill the memory."""

import bz2
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.chemistry import npz
from assay.chemistry.formats import read_molecules
from assay.chemistry.npz import load_npz
from assay.config import apply_overrides, load_yaml
from assay.errors import ConfigError, DataError
from assay.result import Reference, read_metrics, read_settings
from assay.store import fetch, sets
from assay.store.fetch import archive_members
from assay.training.checkpoint import MANIFEST, Checkpoint, load_newest, save

KEY = "a" * 16
DEEP = 200_000


def memory(kind: str) -> int:
    """Return the KiB that this process has (`VmRSS`), or has had at most (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1])
    raise LookupError(kind)


@pytest.fixture(scope="module", autouse=True)
def before() -> int | None:
    """KiB before this file's tests: what other files took is not theirs. None: not known."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (proc(5))
    except OSError:
        return None
    return memory("VmRSS")


# --- archives ---


def member(name: str, kind: bytes = tarfile.REGTYPE, **more) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = kind
    for key, value in more.items():
        setattr(header, key, value)
    return header


def tar_with(path: Path, *headers: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for header in headers:
            tar.addfile(header, io.BytesIO(bytes(header.size)))
    return path


@pytest.mark.parametrize(
    "header",
    [
        member("../../evil", size=3),
        member("/tmp/evil-of-assay", size=3),
        member("evil", tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("evil", tarfile.LNKTYPE, linkname="../../etc/passwd"),
        member("evil", tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("evil", tarfile.BLKTYPE, devmajor=8, devminor=0),
        member("evil", tarfile.FIFOTYPE),
        member("evil", tarfile.DIRTYPE, mode=0o777),
    ],
    ids=["up", "absolute", "symlink", "hard link", "zero device", "disk", "pipe", "folder"],
)
def test_an_archive_writes_nothing_and_opens_nothing(tmp_path, header):
    archive = tar_with(tmp_path / "in.tar", header, member("fine", size=2))
    found = dict(archive_members(archive))
    assert found["fine"] == bytes(2)
    assert b"root" not in b"".join(found.values())
    assert [path.name for path in tmp_path.iterdir()] == ["in.tar"]


def header_of(size: int, kind: bytes) -> bytes:
    return member("bomb", kind, size=size).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind",
    [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME],
    ids=["file", "extended header", "long name"],
)
def test_an_archive_that_announces_gigabytes_is_refused_before_they_are_read(tmp_path, kind):
    archive = tmp_path / "bomb.tar.bz2"
    archive.write_bytes(bz2.compress(header_of(50 << 30, kind) + bytes(10_000)))
    with pytest.raises(DataError, match=r"would take 51,200 MiB"):
        list(archive_members(archive))


def test_an_extended_header_cannot_raise_a_size_past_the_limit(tmp_path):
    header = member("bomb", pax_headers={"size": str(50 << 30)})
    with tarfile.open(tmp_path / "bomb.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(header)
    with pytest.raises(DataError, match="would take 51,200 MiB"):
        list(archive_members(tmp_path / "bomb.tar"))


def test_the_limit_is_far_above_what_we_read():
    assert fetch.LARGEST_MEMBER > 1000 * 10_000  # a QM9 record has some 2 KB


# --- NPZ ---


def test_an_npz_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "bomb.npz", positions=np.zeros((1_000_000, 3), np.float32))
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000
    memory = type("Memory", (), {"available": 1_000_000})
    monkeypatch.setattr(npz.psutil, "virtual_memory", lambda: memory)
    with pytest.raises(DataError, match="'positions' unpacks to"):
        load_npz(tmp_path / "bomb.npz")


def test_an_npz_whose_header_claims_terabytes_is_refused(tmp_path):
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**15, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("positions.npy", header.getvalue())
    with pytest.raises(DataError, match="cannot be read as npz"):
        load_npz(tmp_path / "lie.npz")


class Touch:
    """Whose pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_pickle_in_an_npz_is_not_read(tmp_path):
    trap = np.array([Touch(tmp_path / "sprung")], dtype=object)
    np.savez(tmp_path / "trap.npz", positions=trap, numbers=trap, n_atoms=trap)
    with pytest.raises(DataError, match="holding pickles"):
        load_npz(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_device_or_a_pipe_is_no_file_of_samples(tmp_path):
    (tmp_path / "zero.xyz").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.xyz")
    for name in ("zero.xyz", "pipe.xyz"):
        with pytest.raises(DataError, match="is no regular file"):
            read_molecules(tmp_path / name)


def test_a_text_that_does_not_fit_into_memory_is_refused(tmp_path):
    with (tmp_path / "huge.xyz").open("wb") as file:
        file.truncate(1 << 42)  # takes no space on the disk
    with pytest.raises(DataError, match=r"GiB of memory to read"):
        read_molecules(tmp_path / "huge.xyz")


# --- YAML and JSON ---


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for k in range(1, levels):
        lines.append(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (laughs(12), "stands for more than 20,000 values"),
        ("a: &a [*a]", "stands for more than 20,000 values"),
        ("[" * DEEP, "nested too deeply"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("#" * (1 << 20) + "\n", "larger than a MiB"),
    ],
    ids=["laughs", "cycle", "deep", "call", "name", "large"],
)
def test_yaml_is_data_of_a_bounded_size(tmp_path, text, sentence):
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_yaml(tmp_path / "suite.yaml")
    with pytest.raises(ConfigError, match="not valid YAML"):
        apply_overrides({}, [f"key={text if len(text) < 1 << 20 else '['}"])


def test_aliases_as_people_use_them_are_read(tmp_path):
    (tmp_path / "suite.yaml").write_text("base: &base {a: 1}\none: *base\ntwo: [*base, *base]\n")
    a = {"a": 1}
    assert load_yaml(tmp_path / "suite.yaml") == {"base": a, "one": a, "two": [a, a]}


def test_json_that_is_nested_too_deeply_is_one_sentence(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("[" * DEEP)
    with pytest.raises(DataError, match="not readable as JSON"):
        read_settings(Reference, path)
    path.write_text("[" * DEEP + "\n")
    with pytest.raises(DataError, match="line 1 is not JSON"):
        read_metrics(path)


# --- checkpoints ---


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    state = {"cell_key": KEY}
    return save(tmp_path / "root", 1, Checkpoint({"model": {"w": torch.ones(3)}}, state))


def rename_in_manifest(directory: Path, name: str) -> None:
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"] = {name: manifest["files"]["model.safetensors"]}
    (directory / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("where", ["up", "absolute", "nested", "through", "symlink"])
def test_a_manifest_reads_no_file_outside_its_folder(checkpoint, tmp_path, where, caplog):
    tensors = checkpoint / "model.safetensors"
    outside = tmp_path / "outside.safetensors"
    (checkpoint / "sub").mkdir()
    (checkpoint / "sub" / "model.safetensors").write_bytes(tensors.read_bytes())
    outside.write_bytes(tensors.read_bytes())
    names = {
        "up": "../../outside.safetensors",
        "absolute": str(outside),
        "nested": "sub/model.safetensors",
        "through": "sub/../model.safetensors",
        "symlink": "model.safetensors",
    }
    if where == "symlink":
        tensors.unlink()
        tensors.symlink_to(outside)
    rename_in_manifest(checkpoint, names[where])

    assert load_newest(checkpoint.parent, KEY) is None
    assert "is no file of this folder" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["[]", "null", '"x"', '{"format": 2}', '{"format": 2, "files": [], "state": {}}',
     '{"format": 2, "files": {}, "state": {}}', '{"format": 2, "files": {"..": "0"}, '
     '"state": {"cell_key": "a"}}', "[" * DEEP],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_set_aside(checkpoint, text):
    (checkpoint / MANIFEST).write_text(text)
    assert load_newest(checkpoint.parent, KEY) is None
    assert [path.name for path in checkpoint.parent.iterdir()] == [f"quarantine-{checkpoint.name}"]


# --- addresses ---


def test_a_signed_address_is_neither_recorded_nor_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    url = "https://ada:canary-1@127.0.0.1:9/qm9.tar?X-Amz-Signature=canary-2"
    with pytest.raises(DataError) as refused:
        sets.prepare("qm9", url)
    assert "canary" not in str(refused.value)
    assert "https://***@127.0.0.1:9/qm9.tar?X-Amz-Signature=***" in str(refused.value)


def test_reading_hostile_files_took_little_memory(before):
    if before is None:
        pytest.skip("this system does not let a process measure its peak of memory anew")
    assert memory("VmHWM") - before < 1 << 18
