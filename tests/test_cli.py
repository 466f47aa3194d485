"""The command line as a user meets it: in a process of its own where exit codes matter."""

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from assay.cli import app, main
from assay.cli_train import _plan_table
from assay.errors import AssayError
from assay.result import read_result

ROOT = Path(__file__).parent.parent
MINI = str(ROOT / "sweeps" / "grid_mini.yaml")
TINY = [
    word
    for override in (
        "budget={steps: 3}",
        "training={batch_size: 8, validations: 1}",
        "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 8, "
        "evaluation_samples: 6}",
        "rules=[]",
    )
    for word in ("--set", override)
]


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    if isinstance(result.exception, AssayError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assay.cli", *words], capture_output=True, text=True, cwd=ROOT
    )


def test_train_runs_one_cell_of_a_suite_and_again_reuses_it(mini, tmp_path):
    words = ["train", MINI, "--cell", "gnn-flow_matching", "--storage", str(tmp_path), *TINY]

    first = invoke(*words)
    (path,) = tmp_path.glob("cells/*/result.json")
    written = path.stat().st_mtime_ns
    second = invoke(*words)

    result = read_result(path)
    assert result.label == "gnn-flow_matching"
    assert result.estimates["edm/validity"].n == 6
    assert (path.parent / "artifacts" / "samples.npz").exists()
    assert result.provenance.cell_key in first
    assert path.stat().st_mtime_ns == written
    assert "gnn" in second
    assert "mini, test" in " ".join(second.split())


def test_plan_measures_every_cell_and_runs_none(mini, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    plans = json.loads(invoke("plan", MINI, "--json", *TINY, "--set", "grid.architecture=[gnn]"))

    assert len(plans) == 3
    for plan in plans:
        assert plan["parameters"] > 1000
        assert plan["flops_per_sample"] > 1e5
        assert plan["steps"] == 3
        assert plan["training_seconds"] > 0
        assert plan["evaluation_seconds"] > 0
        assert plan["disk_bytes"] > 4 * plan["parameters"]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_shows_every_number_on_a_narrow_terminal():
    name = "pairformer-flow_matching width=64, pair_width=16, learning_rate=0.0025 s0"
    plan: Any = SimpleNamespace(
        parameters=261_143, flops_per_sample=9.1e7, steps=1024, shared_steps=819,
        training_seconds=120, evaluation_seconds=30,
    )  # fmt: skip
    shown = io.StringIO()
    Console(file=shown, width=80).print(_plan_table({name: plan}))

    for number in ("261,143", "91.0", "1,024 (819 shared)", "0:02:00", "0:00:30"):
        assert number in shown.getvalue()
    assert "…" not in shown.getvalue()


def test_plan_counts_a_beginning_that_budgets_share_once(mini):
    ladder = (
        "budget={steps: 20}", "training.schedule=constant", "training.warmup_steps=2",
        "ladder={budgets: [0.5, 1]}", "grid.architecture=[gnn]", "grid.process=[flow_matching]",
    )  # fmt: skip
    small, large = json.loads(
        invoke("plan", MINI, "--json", *(word for each in ladder for word in ("--set", each)))
    )

    assert (small["steps"], small["shared_steps"]) == (10, 0)
    assert (large["steps"], large["shared_steps"]) == (20, 8)
    assert large["training_seconds"] == pytest.approx(1.2 * small["training_seconds"])


def test_plan_counts_the_flops_that_training_measures(mini, tmp_path):
    longer = ["--set", "budget={steps: 100}"]
    only = ["--set", "grid={architecture: [transformer], process: [diffusion]}"]
    (planned,) = json.loads(invoke("plan", MINI, "--json", *TINY, *longer, *only))

    invoke(
        "train", MINI, "--cell", "transformer-diffusion", "--storage", str(tmp_path), *TINY, *longer
    )

    (path,) = tmp_path.glob("cells/*/result.json")
    assert read_result(path).cost.flops_per_sample == pytest.approx(
        planned["flops_per_sample"], rel=0.06
    )


def test_data_list_names_what_there_is(mini):
    output = invoke("data", "list")

    assert "qm9" in output
    assert "mini" in output


def test_data_verify_is_content_with_a_sound_set(mini):
    assert "every array matches" in invoke("data", "verify", "mini")


def test_a_set_is_cut_into_shards_listed_and_verified(mini, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))

    assert "mini@512: 4 shards at" in invoke("data", "shard", "mini", "--records", "512")
    assert "(digest" in invoke("data", "prepare", "mini@512")
    assert "mini@512" in invoke("data", "list")
    assert "every array matches" in invoke("data", "verify", "mini@512")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["plan", MINI, "--set", "budgett.samples=3"], "did you mean 'budget'?"),
        (["plan", MINI, "--set", "nonsense"], "expected key=value"),
        (["plan", MINI, "--set", "seeds=[a]"], "given: 'a'"),
        (["plan", MINI, "--set", "family='[/b]'"], "unknown family '[/b]'"),
        (["plan", MINI, "--set", "title=2026-11-21"], "title: input should be a valid string"),
        (["data", "prepare", "qm99"], "did you mean 'qm9'?"),
        (["data", "prepare", "qm99@64"], "did you mean 'qm9'?"),
        (["data", "shard", "mini", "--records", "64", "--to", "gs://x"], "neither a folder nor s3"),
        (["report", "nowhere"], "nowhere"),
        (["evaluate", "molecules", "nowhere.xyz"], "nowhere.xyz"),
        (["evaluate", "molecules", "a.xyz", "--protocol", "edmm"], "did you mean 'edm'?"),
        (["evaluate", "crystals", "nowhere.cif"], "nowhere.cif"),
        (["evaluate", "crystals", "a.cif", "--reference", "mini"], "holds no crystals"),
        (["evaluate", "csp", "nowhere.cif", "nowhere.cif"], "nowhere.cif"),
        (["evaluate", "links", "nowhere.npz"], "nowhere.npz"),
        (["evaluate", "pathways", "nowhere.jsonl"], "nowhere.jsonl"),
        (["evaluate", "pathways", "a.jsonl", "--reference", "mini"], "holds no pathways"),
        (["evaluate", "pathways", "a.jsonl", "--reference", "metacyk"], "did you mean 'metacyc'?"),
        (["sample", "nowhere", "--out", "a.npz"], "nowhere: there is no such file or folder"),
        (["sample", "nowhere", "--out", "a.sdf"], "are written as .npz or .xyz or .extxyz"),
        (["sample", "nowhere", "--planet", "x:y", "--out", "a.xyz"], "are written as .jsonl"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words, sentence, mini, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["assay", *words])
    monkeypatch.chdir(ROOT)

    with pytest.raises(SystemExit) as stopped:
        main()

    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert sentence in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_process_ends_with_the_exit_code_and_the_sentence():
    result = shell("train", "nowhere.yaml")

    assert result.returncode == 2
    assert result.stderr.startswith("error: nowhere.yaml: cannot be read")
    assert result.stderr.count("\n") == 1


def test_a_suite_without_a_choice_lists_the_choices(mini):
    with pytest.raises(AssayError, match=r"choose one cell with --cell .*pairformer-diffusion"):
        invoke("train", MINI)


def test_the_version_and_the_help():
    assert invoke("--version").strip()
    scoring = [["evaluate", what] for what in ("molecules", "crystals", "links", "pathways")]
    for words in ([], ["data"], ["train"], ["plan"], *scoring, ["report"]):
        assert "Usage" in invoke(*words, "--help")
