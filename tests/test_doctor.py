"""Every check of the doctor, in the state that it is there to find."""

import contextlib
import io
import json
import re
import types

import pytest
import torch
from packaging.requirements import Requirement
from rich.console import Console
from typer.testing import CliRunner

from assay import catalog, doctor, packages
from assay.cli import app
from assay.doctor import Finding, Section
from assay.errors import MachineError
from assay.store import sets
from assay.training import adamw_8bit


def text_of(found: list[Section]) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(doctor.table(found))
    return console.export_text()


class FakeCuda:
    """What the doctor asks of torch.cuda."""

    def __init__(self, count: int, fault: str | None) -> None:
        self.count, self.fault = count, fault

    def is_available(self) -> bool:
        return self.count > 0

    def device_count(self) -> int:
        return self.count

    def get_device_properties(self, index: int):
        return types.SimpleNamespace(name="NVIDIA H200", total_memory=139 * doctor.GIB)

    def device(self, index: int):
        if self.fault:
            raise RuntimeError(self.fault)
        return contextlib.nullcontext()

    def mem_get_info(self):
        return 100 * doctor.GIB, 139 * doctor.GIB


def fake_torch(count: int, built_for: str | None, fault: str | None = None):
    return types.SimpleNamespace(
        cuda=FakeCuda(count, fault),
        version=types.SimpleNamespace(cuda=built_for),
        ones=lambda *shape, device: torch.ones(*shape),
    )


@pytest.fixture
def torch_is(monkeypatch):
    def install(torch, driver: list[str]) -> None:
        monkeypatch.setattr(doctor.importlib, "import_module", lambda name: torch)
        monkeypatch.setattr(doctor, "_nvidia_smi", lambda field: driver)

    return install


def test_only_what_is_needed_and_broken_fails():
    fine = [Section("a", [Finding("x", "missing", "", ""), Finding("y", "off", "")])]
    bad = [*fine, Section("b", [Finding("z", "broken", "gone", "mend it")])]
    assert doctor.exit_code(fine) == 0
    assert doctor.exit_code(bad) == 1
    assert "1 missing, 1 broken, 1 off: something needed is broken" in doctor.totals(bad)


def test_names_in_brackets_and_the_mending_command_are_in_the_table():
    row = Finding("[crystals]", "missing", "opens [bold]crystals", "pip install '.[crystals]'")
    text = text_of([Section("packages", [row])])
    assert "[crystals]" in text
    assert "opens [bold]crystals" in text
    assert "pip install '.[crystals]'" in text


def test_json_holds_what_the_table_shows():
    plain = doctor.as_json([Section("a", [Finding("x", "broken", "gone", "mend it")])])
    (row,) = plain["findings"]
    assert plain["works"] is False
    assert row == {
        "section": "a", "name": "x", "state": "broken", "found": "gone", "mend": "mend it"
    }  # fmt: skip


def test_this_machine_can_run_assay():
    found = doctor.sections()
    broken = [each for section in found for each in section.findings if each.state == "broken"]
    assert not broken
    assert [section.title for section in found] == ["machine", "torch", "packages", "data"]


def test_each_gpu_has_a_row_with_its_name_memory_and_driver(torch_is):
    torch_is(fake_torch(2, "12.6"), ["570.1", "570.1"])
    first, second = doctor.gpus()
    assert (first.name, second.name) == ("GPU 0", "GPU 1")
    assert first.state == second.state == "ok"
    assert first.found == "NVIDIA H200, 139 GiB, driver 570.1, 100 GiB free"


def test_a_gpu_that_torch_cannot_compute_on_is_broken(torch_is):
    torch_is(fake_torch(1, "12.6", "no kernel image is available for execution"), ["570.1"])
    (found,) = doctor.gpus()
    assert found.state == "broken"
    assert "NVIDIA H200, 139 GiB, driver 570.1" in found.found
    assert "no kernel image" in found.found


def test_a_cpu_build_beside_a_gpu_is_said(torch_is):
    torch_is(fake_torch(0, None), ["570.1", "570.1"])
    (found,) = doctor.gpus()
    assert found.state == "missing"
    assert "2 in this machine, but torch is the CPU build" in found.found


def test_a_machine_without_a_gpu_is_cpu_only_and_nothing_is_wrong(torch_is):
    torch_is(fake_torch(0, "12.6"), [])
    assert doctor.gpus() == [Finding("GPU", "off", "none: CPU only")]


def test_hidden_gpus_are_told_from_broken_ones(torch_is, monkeypatch):
    torch_is(fake_torch(0, "12.6"), ["570.1"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert doctor.gpus()[0].mend == "unset CUDA_VISIBLE_DEVICES"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "driver 570.1, torch is built for CUDA 12.6" in doctor.gpus()[0].found


def test_a_torch_that_does_not_load_is_broken(monkeypatch):
    def fail(name):
        raise ImportError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    found = doctor.torch_works()
    assert (found.state, found.mend) == ("broken", "make setup")
    assert "libcudart.so.12" in found.found
    assert doctor.gpus() == []


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ("numpy>=99", r"^numpy is .*, needed >=99$"),
        ("no-such-package", "^no-such-package is not installed$"),
        ("typer>=0.1", None),
    ],
)
def test_a_requirement_is_met_or_the_fault_is_named(wanted, fault):
    found = packages.unmet(Requirement(wanted))
    if fault is None:
        assert found == []
    else:
        (only,) = found
        assert re.search(fault, only)


def test_what_an_extra_of_a_package_needs_is_looked_at_too(monkeypatch):
    installed = packages.installed
    monkeypatch.setattr(
        packages, "installed",
        lambda name: None if name.replace("_", "-") == "aiohttp-cors" else installed(name),
    )  # fmt: skip
    (fault,) = packages.unmet(Requirement("ray[default]>=2"))
    assert fault.startswith("ray[default]: aiohttp")


def test_an_extra_that_lacks_a_package_says_what_it_would_open(monkeypatch):
    monkeypatch.setattr(packages, "unmet", lambda wanted: [f"{wanted.name} is not installed"])
    found = {each.name: each for each in doctor.extras()}
    assert found["[metrics]"].state == "missing"
    assert "Fréchet ChemNet distance" in found["[metrics]"].found
    assert found["[metrics]"].mend.endswith("'.[metrics]'")


def test_every_extra_of_the_package_has_its_purpose_written_down():
    assert set(packages.declared("Provides-Extra")) <= doctor.OPENS.keys()


def test_whether_8_bit_adamw_runs_here_is_said(monkeypatch):
    def fail(device):
        raise MachineError(f"no 8 bits on {device.type}; use training.optimizer=adamw here")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(adamw_8bit, "require_8bit_adamw", lambda device: None)
    assert doctor.adamw_8bit().state == "ok"
    assert "on cpu: training.optimizer=adamw_8bit" in doctor.adamw_8bit().found
    monkeypatch.setattr(adamw_8bit, "require_8bit_adamw", fail)
    assert doctor.adamw_8bit().state == "missing"
    assert "no 8 bits on cpu; use training.optimizer=adamw" in doctor.adamw_8bit().found


def test_versions_beside_the_pins_are_listed_but_builds_are_not(tmp_path):
    lines = [f"numpy=={packages.installed('numpy')}+local", "typer==0.0.1", "not-here==1.0"]
    (tmp_path / "constraints.txt").write_text("\n".join(lines))
    found = doctor.pins(tmp_path)
    assert found.state == "missing"
    assert "typer" in found.found
    assert "pinned 0.0.1" in found.found
    assert "numpy" not in found.found
    assert doctor.pins(tmp_path / "elsewhere").state == "off"


def test_a_clock_behind_the_code_is_broken(monkeypatch):
    monkeypatch.setattr(doctor.time, "time", lambda: 1e9)
    found = doctor.clock()
    assert found.state == "broken"
    assert "2001-09-09" in found.found


def test_little_shared_memory_is_said_with_the_size(tmp_path, monkeypatch):
    usage = types.SimpleNamespace(total=64 * 1024**2, free=60 * 1024**2)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    found = doctor.shared_memory(tmp_path)
    assert (found.state, found.mend) == ("missing", "docker run --shm-size=2g …")
    assert "0.1 GiB" in found.found


def test_few_open_files_are_said_with_the_number(monkeypatch):
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda which: (256, 1024))
    found = doctor.open_files()
    assert (found.state, found.mend) == ("missing", "ulimit -n 65536")
    assert "1,024" in found.found


def test_without_git_results_name_no_commit(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.git().state == "missing"


def test_a_data_folder_that_is_not_there_is_broken(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "nowhere"))
    folder, *_ = doctor.folders()
    assert (folder.state, folder.mend) == ("broken", "unset ASSAY_DATA")
    (tmp_path / "qm9").mkdir()
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    assert "holds qm9" in doctor.folders()[0].found


def test_a_place_of_shards_is_asked_what_it_holds(monkeypatch, tmp_path):
    monkeypatch.delenv("ASSAY_SHARDS", raising=False)
    assert doctor.folders()[1].state == "off"
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path / "nowhere"))
    found = doctor.folders()[1]
    assert (found.state, found.mend) == ("broken", "unset ASSAY_SHARDS")
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))
    assert doctor.folders()[1].found == f"{tmp_path}: holds no data set"


def test_a_set_that_is_not_prepared_is_missing_and_a_damaged_one_broken(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    found = {each.name: each for each in doctor.data_sets()}
    assert found["mini"].state == found["qm9"].state == "missing"
    assert found["qm9"].mend == "assay data prepare qm9"
    assert "licence CC0-1.0" in found["qm9"].found

    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "index-1.json").write_text("{")
    found = {each.name: each for each in doctor.data_sets()}
    assert found["mini"].state == "broken"


def test_a_set_that_the_data_folder_does_not_hold_is_missing_and_fails_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    findings = doctor.data_sets()
    found = {each.name: each for each in findings}["qm9"]
    assert (found.state, found.mend) == ("missing", "env -u ASSAY_DATA assay data prepare qm9")
    assert "not in ASSAY_DATA" in found.found
    assert doctor.exit_code([Section("data", findings)]) == 0


def test_a_prepared_set_shows_digest_source_and_licence(mini):
    found = {each.name: each for each in doctor.data_sets()}
    assert found["mini"].state == "ok"
    assert f"digest {sets.open_set('mini').digest[:12]}, from rules" in found["mini"].found
    assert "licence Apache-2.0" in found["mini"].found


@pytest.mark.parametrize(
    ("name", "limited"),
    [("CC-BY-NC-4.0", True), ("CC BY-NC-SA 4.0", True), ("CC0-1.0", False), ("NCSA", False)],
)
def test_licences_that_forbid_commercial_use_are_flagged(name, limited):
    assert ("NON-COMMERCIAL" in doctor.licence(name)) is limited


def test_every_catalogued_set_states_its_licence():
    for target in catalog.DATA_SETS.values():
        assert catalog.load(target).licence


def test_the_command_prints_json_alone_and_answers_with_its_exit_code(mini, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    words = ["doctor", "--json", "--storage", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, words)
    plain = json.loads(done.stdout)
    assert done.exit_code == (0 if plain["works"] else 1)
    assert {row["section"] for row in plain["findings"]} == {
        "machine", "torch", "packages", "data", "Ray", "run store", "MLflow"
    }  # fmt: skip
    assert not (tmp_path / "runs").exists()

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert CliRunner().invoke(app, words).exit_code == 1


def test_the_help_teaches():
    text = CliRunner().invoke(app, ["doctor", "--help"]).stdout
    for word in ("--deep", "--json", "--storage", "broken", "Example"):
        assert word in text
