"""What a search leaves: figures even if results are gone, and the best as suites to run."""

import pytest
import yaml
from rich.console import Console

from assay.cell import load_suite
from assay.cluster import search
from assay.cluster.search_outcome import write_best
from assay.errors import MachineError
from assay.runner import cell_directory
from assay.search import SearchRecord, StudyRecord
from tests.cluster.searching import DIGEST, LOSS, line_suite, play, run


@pytest.fixture(autouse=True)
def _played(monkeypatch):
    play(monkeypatch)


def test_a_complete_trial_whose_results_are_gone_keeps_the_figures_of_the_database(tmp_path):
    suite = line_suite({"trials": 2})
    before = run(suite, tmp_path)
    gone = before.trials[0]
    (cell_directory(tmp_path, gone.cells["0"]) / "result.json").unlink()
    (cell_directory(tmp_path, gone.cells["1"]) / "result.json").write_text("{}")

    after = run(suite, tmp_path)

    kept = after.trials[0].objectives["val/loss"]
    assert kept.mean == gone.objectives["val/loss"].mean
    assert (kept.low, kept.high, kept.by_seed) == (None, None, {})
    assert after.trials[0].state == "complete"
    assert gone.cells["0"] in after.trials[0].reason
    assert after.trials[1] == before.trials[1]
    assert after.best == before.best


def test_the_best_setting_is_a_suite_for_new_seeds(tmp_path):
    suite = line_suite({"trials": 3})
    found = run(suite, tmp_path)

    (path,) = write_best(suite, [found], tmp_path)

    best = load_suite(path)
    values = found.trials[found.best[0]].values
    assert best.seeds == [2, 3, 4]
    assert best.search is None
    assert best.name == "lines_best"
    expected = suite.setting({"model": "plain"}, values, DIGEST)[0]
    assert best.cells(DIGEST)[0].model_copy(update={"seed": 0}).key == expected.key
    assert found.name in path.read_text()


def test_each_variant_has_its_best_and_each_point_of_a_front_its_own_suite(tmp_path):
    suite = line_suite({"trials": 2}, grid={"model": ["plain", "staged"]})
    studies = [
        StudyRecord.model_validate(
            {
                "name": f"lines {model}", "variant": {"model": model}, "best": best,
                "trials": [
                    {"number": n, "state": "complete", "values": {"settings.width": width}}
                    for n, width in enumerate((2, 4))
                ],
            }
        )
        for model, best in (("plain", [0]), ("staged", [1]))
    ]  # fmt: skip
    (path,) = write_best(suite, studies, tmp_path)
    widths = [cell.settings.width for cell in load_suite(path, ("seeds=[9]",)).cells(DIGEST)]
    assert widths == [2, 4]

    objectives = [LOSS, {"metric": "toy/mse", "better": "lower"}]
    several = line_suite({"trials": 2, "objectives": objectives}, grid=suite.grid)
    studies[0] = studies[0].model_copy(update={"best": [0, 1]})
    paths = write_best(several, studies, tmp_path)
    assert [path.name for path in paths] == ["plain-0.yaml", "plain-1.yaml", "staged-1.yaml"]
    names = [yaml.safe_load(path.read_text())["name"] for path in paths]
    assert names == ["lines_plain_0", "lines_plain_1", "lines_staged_1"]
    assert load_suite(paths[1]).cells(DIGEST)[0].settings.width == 4

    (tmp_path / "best-mine.yaml").write_text("name: mine\n")
    write_best(several, [studies[1]], tmp_path)
    assert [path.name for path in (tmp_path / "front").iterdir()] == ["staged-1.yaml"]
    assert write_best(suite, [], tmp_path) == []
    assert [path.name for path in tmp_path.glob("**/*.yaml")] == ["best-mine.yaml"]


def test_only_variants_with_a_best_setting_are_run_on_new_seeds(tmp_path):
    grid = {"model": ["plain", "staged"], "data": ["a", "b"]}
    trial = {"number": 0, "state": "complete", "values": {"settings.width": 4}}
    studies = [
        StudyRecord.model_validate(
            {"name": f"s {m}", "variant": {"model": m, "data": d}, "best": [0], "trials": [trial]}
        )
        for m, d in (("plain", "a"), ("staged", "b"))
    ]
    suite = line_suite({"trials": 2}).model_copy(update={"grid": grid})

    paths = write_best(suite, studies, tmp_path)

    assert [path.name for path in paths] == ["best-plain-a.yaml", "best-staged-b.yaml"]
    plain = [yaml.safe_load(path.read_text()) for path in paths]
    assert [p["grid"] for p in plain] == [
        {"model": ["plain"], "data": ["a"]},
        {"model": ["staged"], "data": ["b"]},
    ]
    assert [p["name"] for p in plain] == ["lines_best_plain_a", "lines_best_staged_b"]
    (one,) = write_best(suite, studies[:1], tmp_path)
    assert one.name == "best.yaml"
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["best.yaml"]


def test_a_search_whose_cluster_goes_away_still_leaves_its_record(tmp_path, monkeypatch):
    def gone(work, tracker):
        raise MachineError("the Ray cluster went away")

    monkeypatch.delenv("ASSAY_OPTUNA_STORAGE", raising=False)
    suite = line_suite({"trials": 2})
    before = run(suite, tmp_path)
    monkeypatch.setattr(search, "_compute", gone)
    monkeypatch.setattr(search.preflight, "require_installed_version", lambda folder: None)

    outcome = search.run_search(suite, tmp_path, search.SearchOptions(), Console(quiet=True))

    assert str(outcome.fault) == "the Ray cluster went away"
    path = outcome.folder / "search.json"
    assert SearchRecord.model_validate_json(path.read_text()).studies == [before]
    assert outcome.best == [outcome.folder / "best.yaml"]
