"""Every fenced block of README and docs is run here, or held against what would read it."""

import ast
import inspect
import json
import shlex
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from assay.cell import Suite
from assay.cli import app
from assay.config import validate
from assay.habitability.inhabitants.world import PlanetFile
from assay.pathways.metrics.files import read_graphs
from tests.docs import programs
from tests.docs.blocks import BLOCKS, SHELL, Block, blocks_of, of
from tests.docs.shell import commands_of
from tests.docs.site import hooks
from tests.test_cli import ROOT
from tests.test_submission import MOLECULES

RUN_BY_ANOTHER_TEST = {"docs/extending.md": "tests/test_extending.py builds and runs its package"}
RUN_HERE = ("docs/balancing.md", "docs/habitability.md", "docs/python.md")
NOT_RUN = {
    "docs/data.md": "reads a KEGG licence holder's KGML, and SBML with cobra, which is no extra",
    "docs/captioning.md": "takes a trained bridge; tests/captioning/bridge/test_export.py runs it",
}
"""Pages whose Python is not run: its imports and calls are held against what is there."""
SHOWN = {
    ("docs/captioning.md", "both    <|user|>"): "a prompt",
    ("docs/cluster.md", "<storage>/"): "what lies in a run store",
    ("docs/data.md", "qm9/<digest>/"): "what lies in the cache",
    ("docs/data.md", "qm9@4096/index.json"): "what a sharded set is",
    ("docs/search.md", "<storage>/"): "what a search leaves",
}
"""Blocks `text`: nothing that anybody would run."""
PARTS_OF = {
    "docs/balancing.md": "habitability_weights_mini",
    "docs/cluster.md": "grid_mini", "docs/conditioning.md": "grid_mini",
    "docs/habitability.md": "habitability_weights_mini",
    "docs/scaling.md": "grid_mini", "docs/search.md": "grid_mini",
    "docs/transfer.md": "grid_mini_crystals",
}  # fmt: skip
"""The suite that a part of one, in YAML, is put into."""
CHEAP = [
    "assay drill", "assay data list", "assay show 29d4abe38306a4c2",
    "assay card results/grid_qm9/29d4abe38306a4c2.json",
    "assay evaluate captions pairs.jsonl --protocol groups --protocol sacrebleu",
]  # fmt: skip
"""Commands of the pages that are really run, in this process."""


def test_every_block_has_a_rule():
    ruled = {*SHELL, "python", "yaml", "json", "toml", "text", "math", "error"}

    assert {block.language for block in BLOCKS} <= ruled
    assert len(of(*SHELL)) > 40


def test_a_block_that_is_not_closed_or_indented_is_seen():
    (inner,) = blocks_of("p.md", "1. First\n\n    ```bash\n    make help\n    ```\n")

    assert (inner.text, inner.line, inner.language) == ("make help", 3, "bash")
    with pytest.raises(AssertionError, match="a block is not closed"):
        list(blocks_of("p.md", "```\nmake help\n"))


@pytest.mark.parametrize("block", of(*SHELL), ids=str)
def test_shell_blocks_are_commands_that_their_programs_take(block: Block):
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)

    check_all(block.text)


def check_all(line: str) -> None:
    for words in commands_of(line):
        programs.check(words)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("assay trian sweeps/grid_mini.yaml", "trian"),
        ("assay train sweeps/grid_mini.yaml --cel gnn-diffusion", "No such option"),
        ("assay train sweeps/grid_nowhere.yaml --cell a", "there is no sweeps/grid_nowhere"),
        ("assay train sweeps/grid_mini.yaml --cell gnn-diffusoin", "unknown cell"),
        ("assay plan sweeps/grid_mini.yaml --set budget.smaples=3", "unknown key"),
        ("assay data prepare qm10", "unknown data set"),
        ("assay evaluate molecules a.xyz --reference qm10", "unknown data set"),
        ("assay evaluate molecules a.xyz --protocol edmm", "unknown protocol"),
        ("assay drill kill-wroker", "unknown drill"),
        ("assay --instal-completion", "assay has no option"),
        ("assay card results/nowhere/29d4abe38306a4c2.json", "there is no results/nowhere"),
        ("python jobs/nowhere.py", "there is no jobs/nowhere.py"),
        ("python jobs/benchmark_grid.py --max-concurent 2", "benchmark_grid.py refuses"),
        ("python jobs/benchmark_grid.py --set budget.smaples=3", "unknown key"),
        ("python benchmarks/generation.py formulatoin", "'formulatoin' is not known"),
        ("make gird", "make knows no gird"),
        ("ray strat --head", "no command strat"),
        ("ray start --haed", "No such option"),
        ("ray job submit -- python jobs/nowhere.py", "there is no jobs/nowhere.py"),
        ("ray exec cluster.yaml 'python /home/ray/assay/docker/node.py 4'", "there is no /home"),
        ("ray up clusters.yaml", "there is no clusters.yaml"),
        ("docker build --build-arg GIT_COMIT=$(git rev-parse HEAD) .", "GIT_COMIT"),
        ("docker compose -f docker/compost.yaml up", "there is no docker/compost.yaml"),
        ("kubectl apply -f docker/kuberay/job.yaml", "there is no docker/kuberay/job.yaml"),
        ("kubectl delete rayjob assay-gird", "assay-gird"),
        ("pip install 'assay-bench[crystal]'", "crystal"),
        ("mlflow uii", "no command uii|No such command"),
        ("surprise --me", "no rule knows the program"),
    ],
)
def test_a_command_that_would_fail_is_noticed(line, why):
    with pytest.raises(Exception, match=why):
        check_all(line)


def test_words_of_a_shell_line_are_as_the_shell_has_them():
    text = (
        "A=1 export B=$(git rev-parse HEAD) && (umask 077; cat > ~/x) <<INI\n[secret]\nINI\n"
        "make a \\\n  b # c\n"
    )

    assert list(commands_of(text)) == [
        ["git", "rev-parse", "HEAD"], ["export", "B=SUBSTITUTED"], ["umask", "077"], ["cat"],
        ["make", "a", "b"],
    ]  # fmt: skip


@pytest.mark.parametrize("line", CHEAP)
def test_cheap_commands_are_run(line, tmp_path, monkeypatch):
    assert any(shlex.split(line) in commands_of(block.text) for block in of(*SHELL)), "on no page"
    for name in ("results", "sweeps"):
        (tmp_path / name).symlink_to(ROOT / name)
    pair = {"prediction": "It is a phenol.", "reference": "It is a phenol.", "smiles": "Oc1ccccc1"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)

    done = CliRunner().invoke(app, shlex.split(line)[1:])

    assert done.exit_code == 0, (done.output, done.exception)
    assert done.output.strip()


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_is_a_suite_or_fits_into_one(block: Block):
    if block.page in {*RUN_HERE, *RUN_BY_ANOTHER_TEST}:
        assert isinstance(yaml.safe_load(block.text), dict)
        return
    base = yaml.safe_load((ROOT / "sweeps" / f"{PARTS_OF[block.page]}.yaml").read_text())

    laid = _laid_over(base, yaml.safe_load(block.text))
    if "source" in laid["settings"]:  # else that of the prepared set: it would be prepared here
        laid["settings"]["source"]["digest"] = programs.DIGEST

    suite = validate(Suite, laid, str(block))

    assert suite.cells(programs.DIGEST)


def _laid_over(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    laid = {
        key: _laid_over(base[key], value)
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key != "budget"
        else value
        for key, value in part.items()
    }
    return {**base, **laid}


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_a_graph_or_a_planet_that_the_reader_takes(block: Block, tmp_path):
    if block.page == "docs/habitability.md":
        validate(PlanetFile, json.loads(block.text), str(block))
        return
    (tmp_path / "graphs.jsonl").write_text(block.text)

    graphs, rejected = read_graphs(tmp_path / "graphs.jsonl")

    assert rejected == []
    assert graphs.node_counts.tolist() == [3]


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_can_be_read(block: Block):
    assert block.page in RUN_BY_ANOTHER_TEST
    assert tomllib.loads(block.text)["project"]["name"]


@pytest.mark.parametrize("block", of("math"), ids=str)
def test_equations_become_mathml(block: Block):
    assert "<math" in hooks().equation(block.text, "math", "math")


@pytest.mark.parametrize("block", of("text"), ids=str)
def test_what_is_only_shown_is_listed(block: Block):
    assert any((block.page, begin) for page, begin in SHOWN if block.text.startswith(begin))


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_imports_what_is_there_and_calls_it_as_it_can_be(block: Block):
    """What an import names exists, and each call of it has arguments that it takes."""
    if block.page in {*RUN_HERE, *RUN_BY_ANOTHER_TEST}:
        compile(block.text, str(block), "exec")
        return
    tree = ast.parse(block.text, str(block))
    named: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                named[each.asname or each.name] = getattr(import_module(node.module), each.name)
        elif isinstance(node, ast.Import):
            named |= {each.asname or each.name: import_module(each.name) for each in node.names}
    assert named
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        target = _target(call.func, named)
        if target is not None:
            words = {each.arg: None for each in call.keywords}
            inspect.signature(target).bind(*call.args, **words)


def _target(function: ast.expr, named: dict[str, Any]) -> Any:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = named.get(function.value.id)
        return None if owner is None else getattr(owner, function.attr)
    return named.get(function.id) if isinstance(function, ast.Name) else None


def test_pages_with_python_say_how_it_is_run():
    pages = {block.page for block in of("python")}

    assert pages == {*RUN_HERE, *NOT_RUN, *RUN_BY_ANOTHER_TEST}


def test_the_example_of_balancing_runs():
    (block,) = (block for block in of("python") if block.page == "docs/balancing.md")
    found: dict[str, Any] = {}

    exec(compile(block.text, str(block), "exec"), found)

    near, far = (float(found["weights"][name]) for name in ("near", "far"))
    whole = near * found["losses"]["near"] + far * found["losses"]["far"]
    assert float(found["total"]) == pytest.approx(float(whole))


def test_the_example_of_planets_of_ones_own_runs(capsys):
    (block,) = (block for block in of("python") if block.page == "docs/habitability.md")
    found: dict[str, Any] = {}

    exec(compile(block.text, str(block), "exec"), found)

    assert found["arrays"]["presence"].tolist() == [[True, True, False, True, False]]
    said = capsys.readouterr().out
    assert said.startswith("planet Vulcan: climate_cubes: surface temperatures of 14.85")
    assert said.count("\n") == 1


def run_the_page_about_python(folder: Path, monkeypatch) -> dict[str, Any]:
    (block,) = (block for block in of("python") if block.page == "docs/python.md")
    (folder / "samples.xyz").write_text(MOLECULES * 3)
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), found)
    assert set(found["frame"].metric) == found["result"].estimates.keys()
    assert found["scores"].loc["edm/validity", "value"] == 1.0
    return found


def test_the_page_about_python_runs_with_cells_of_two_steps(two_steps, monkeypatch):
    found = run_the_page_about_python(two_steps, monkeypatch)

    assert found["result"].cost.steps == 2
    assert {name.partition("/")[0] for name in found["scores"].index} == {"edm"}


@pytest.mark.slow
def test_the_page_about_python_runs(mini, tmp_path, monkeypatch):
    (tmp_path / "sweeps").symlink_to(ROOT / "sweeps")

    found = run_the_page_about_python(tmp_path, monkeypatch)

    assert found["result"].cost.samples >= 2000


def test_pages_are_where_the_tests_look():
    assert {Path(block.page).parts[0] for block in BLOCKS} >= {"README.md", "docs"}
