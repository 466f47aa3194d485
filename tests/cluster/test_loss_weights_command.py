"""`jobs/loss_weights.py` but for what Ray does: what is run, what is said, what is left behind."""

import json
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from assay import catalog
from assay.cluster.search_outcome import write_best
from assay.errors import MachineError
from assay.report.loss_weights_arms import OWN
from assay.task import Estimate
from tests.jobs import FOLDER, module_of
from tests.report.test_loss_weights import AGAIN, METRICS, OBJECTIVES, SPACE, STUDIES, study

ROOT = Path(__file__).resolve().parents[2]
PATHWAYS = "sweeps/pathways_mini_search.yaml"
TASKS = ("--task", "near=val/near:test/near", "--task", "far=val/far:test/far")


@pytest.fixture(scope="module")
def command():
    return module_of(FOLDER / "loss_weights.py")


@pytest.fixture
def played(command, monkeypatch, tmp_path):
    """The job with its searches and its runs played; returns what was run, and the options."""
    families = {**catalog.FAMILIES, "two": "tests.training.balancing.two_losses:TwoTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
    path, ran = tmp_path / "pair.yaml", []
    plain = {
        "name": "pair", "title": "Two losses", "family": "two", "data": "mini",
        "grid": {"model": ["plain"]}, "budget": {"steps": 10}, "seeds": [0, 1],
        "settings": {"balancing": {"method": "fixed"}},
        "search": {"trials": 2, "objectives": OBJECTIVES, "space": SPACE},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(plain))

    def searched(given, suite, storage, results, console):
        way = suite.name.removeprefix("pair_")
        if way == "pcgrad":
            return SimpleNamespace(fault=MachineError("no place for it"), best=[])
        found = STUDIES.get(way, study([(2, 5), (2, 5)]))
        record = SimpleNamespace(studies=[found])
        return SimpleNamespace(fault=None, best=write_best(suite, [found], results), record=record)

    def run_suite(suite, storage, options, console):
        ran.append((options.results.parent.name, suite))
        return SimpleNamespace(failures={}, finished=3, folder=options.results)

    def read_results(folder):
        figures = AGAIN.get(folder.parent.name, AGAIN["equal"])
        return [
            SimpleNamespace(
                cell={"seed": seed},
                provenance=SimpleNamespace(cell_key="k"),
                estimates={
                    metric: Estimate(
                        value=v, low=v, high=v, n=9, version="1", better=METRICS[metric]
                    )
                    for metric, v in zip(METRICS, values, strict=True)
                },
            )
            for seed, values in figures.items()
        ]

    monkeypatch.setattr(command, "searched", searched)
    monkeypatch.setattr("assay.cluster.grid.run_suite", run_suite)
    monkeypatch.setattr("assay.result.read_results", read_results)
    monkeypatch.setattr("assay.report.build", lambda folders, page: None)
    options = ["--suite", str(path), *TASKS, "--also", "test/far", "--storage", str(tmp_path / "s")]
    return ran, options


def test_the_file_is_its_own_program():
    path = ROOT / "jobs" / "loss_weights.py"
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text().startswith("#!/usr/bin/env python\n")


def test_what_each_way_chose_is_run_on_new_seeds_and_told(command, played, tmp_path, capsys):
    ran, options = played

    code = command.main(options)

    said = capsys.readouterr()
    assert code == 1
    assert "failed: pcgrad: no place for it" in said.err
    assert {way for way, _ in ran} == {*STUDIES, *OWN} - {"pcgrad"}
    assert all(suite.seeds == [2, 3, 4] for _, suite in ran)
    cell = dict(ran)["tuned"].cells("0" * 16)[0]
    assert cell.settings.weights["far"] == pytest.approx(0.01)
    assert "Is tuning the weights worth it here? Yes" in " ".join(said.out.split())
    written = json.loads((tmp_path / "s" / "results" / "pair" / "loss_weights.json").read_text())
    assert written["verdict"]["answer"] == "yes"
    assert written["answer"].startswith("Is tuning the weights worth it here? Yes")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--suite", "sweeps/grid_mini.yaml"], "are compared on one variant"),
        (["--suite", PATHWAYS, "--task", "kl"], "task 'kl': expected LOSS=OBJECTIVE:METRIC"),
        (["--suite", PATHWAYS, *TASKS], "task near: val/near is no objective of suite pathways_"),
    ],
)
def test_bad_input_is_one_sentence(command, options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = command.main([*options, "--storage", str(tmp_path / "runs")])
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
