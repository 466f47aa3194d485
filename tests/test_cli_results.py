"""A stored cell can be shown, made again and compared, by the beginning of its key."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from assay import catalog, reproduction
from assay.cli import app
from assay.errors import AssayError, ConfigError, DataError
from assay.lookup import find, results_of
from assay.result import read_result, write_json
from assay.runner import Manner, cell_directory, run_cell, train_until
from assay.store import sets
from assay.training.execution import Execution
from tests.report.synthetic import cell, estimate, result, write_suite
from tests.training.toy import toy_cell


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """The toy family on a data set that needs no preparation, in an empty folder."""
    families = {**catalog.FAMILIES, "toy": "tests.training.toy:ToyTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
    packed = SimpleNamespace(digest="0" * 16, name="line", source="rules")
    monkeypatch.setattr(sets, "prepare", lambda name: packed)
    monkeypatch.chdir(tmp_path)


def invoke(*words: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words])
    if isinstance(done.exception, AssayError):
        raise done.exception
    assert done.exit_code == exit_code, done.output
    return done.stdout


def trained(storage="runs", **options):
    of = toy_cell(**options)
    run_cell(of, Execution(), Path(storage), lambda report: None)
    return of


def test_a_finished_cell_is_shown_by_the_beginning_of_its_key(toy):
    of = trained()

    shown = invoke("show", of.key[:6])
    told = json.loads(invoke("show", of.key[:6], "--json"))

    for words in ("plain, seed 0", of.key, "40 steps", "finished", "toy/mse", "toy 1",
                  f"assay reproduce runs/cells/{of.key}/result.json"):  # fmt: skip
        assert words in " ".join(shown.split())
    stored = read_result(cell_directory(Path("runs"), of.key) / "result.json")
    assert told["state"] == "finished"
    assert told["estimates"]["toy/mse"] == stored.estimates["toy/mse"].model_dump()
    assert told["cost"]["steps"] == 40
    assert told["provenance"]["cell_key"] == of.key


def test_an_interrupted_cell_says_how_far_it_is_and_where_it_carries_on(toy):
    of = toy_cell()
    train_until(of, Execution(), Path("runs"), lambda report: None, 0.25)

    told = json.loads(invoke("show", of.key, "--json"))
    shown = invoke("show", of.key)

    assert (told["state"], told["spent"], told["saved_step"]) == ("interrupted", 0.25, 10)
    assert "25% of its budget" in shown
    assert "from step 10" in shown


def test_a_cell_that_runs_now_and_one_that_failed_say_so(toy):
    of = toy_cell()
    train_until(of, Execution(), Path("runs"), lambda report: None, 0.25)
    folder = cell_directory(Path("runs"), of.key)
    with FileLock(folder.with_suffix(".lock")):
        assert find(of.key, Path("runs"), Path("results")).state == "running"
    plain = of.model_dump(mode="json")
    write_json(folder / "failure.json", {"cell": plain, "reason": "no luck", "kind": "error"})

    assert find(of.key, Path("runs"), Path("results")).state == "failed"
    assert "no luck" in invoke("show", of.key)


def test_a_folder_that_holds_no_cell_is_one_sentence(toy):
    write_json(Path("runs/cells/0123456789abcdef/cell.json"), {"family": "toy"})

    with pytest.raises(DataError, match=r"cell\.json: is no cell; it lacks one of budget, data"):
        invoke("show", "0123")


def test_published_results_are_found_beside_the_run_store(toy):
    results = write_suite(Path("results") / "grid_mini")
    wanted = results[3].provenance.cell_key

    told = json.loads(invoke("show", wanted, "--json"))

    assert told["path"] == f"results/grid_mini/{wanted}.json"
    assert told["estimates"].keys() == results[3].estimates.keys()


def test_cells_of_a_study_are_found_in_the_folders_of_its_arms(toy):
    (of, *_) = write_suite(Path("results") / "study" / "study_arm")
    key = of.provenance.cell_key

    told = json.loads(invoke("show", key, "--json"))
    assert told["path"] == f"results/study/study_arm/{key}.json"


def test_a_card_as_json_is_the_card_that_is_printed_or_written(toy):
    key = write_suite(Path("results") / "grid_mini")[0].provenance.cell_key
    text = invoke("card", key)

    printed = json.loads(invoke("card", key, "--json"))
    written = json.loads(invoke("card", key, "--json", "--out", "card.md"))

    assert printed == {"cell_key": key, "card": text, "path": None}
    assert written == {"cell_key": key, "card": text, "path": "card.md"}
    assert Path("card.md").read_text() == text


def test_a_report_as_json_is_its_path_and_how_many_cells_it_shows(toy):
    write_suite(Path("results") / "grid_mini", seeds=(0, 1))

    told = json.loads(invoke("report", "--suite", "grid_mini", "--out", "page.html", "--json"))

    assert told == {"path": "page.html", "cells": 18}
    assert invoke("report", "--out", "page.html").strip() == "page.html"
    with pytest.raises(ConfigError, match="unknown suite 'grid_minni'; did you mean 'grid_mini'"):
        invoke("report", "--suite", "grid_mini", "--suite", "grid_minni")


def test_a_key_that_is_none_or_any_of_several_is_refused_in_words(toy):
    for seed in range(40):
        write_json(Path("results/many") / f"abcd{seed:012x}.json", {})

    with pytest.raises(ConfigError, match=r"begins 40 keys: abcd000000000000, .* and 36 more"):
        invoke("show", "abcd")
    with pytest.raises(ConfigError, match="no such cell in runs/cells or results"):
        invoke("show", "dcba")
    with pytest.raises(ConfigError, match="there is no such file or folder, and it is no key"):
        invoke("show", "gnn-diffusion")


def test_the_same_code_makes_the_same_bits_again(toy):
    of = trained()
    path = cell_directory(Path("runs"), of.key) / "result.json"

    table = invoke("reproduce", str(path))
    told = json.loads(invoke("reproduce", str(path), "--json"))

    assert "Confirmed: 1 same bits" in table
    assert told["confirmed"] is True
    assert told["estimates"]["toy/mse"]["verdict"] == "same bits"
    assert told["remarks"] == []
    again = cell_directory(Path("runs/reproductions"), of.key) / "result.json"
    assert read_result(again).estimates == read_result(path).estimates


@pytest.mark.parametrize(
    ("low", "high", "verdict", "code"),
    [(0.0, 9.0, "inside", 0), (8.0, 9.0, "outside", 1)],
)
def test_other_bits_are_held_against_the_published_interval(toy, low, high, verdict, code):
    of = trained()
    path = cell_directory(Path("runs"), of.key) / "result.json"
    stored = json.loads(path.read_text())
    stored["estimates"]["toy/mse"] |= {"value": (low + high) / 2, "low": low, "high": high}
    write_json(Path("published.json"), stored)

    told = json.loads(invoke("reproduce", "published.json", "--json", exit_code=code))

    assert told["confirmed"] is (code == 0)
    assert told["estimates"]["toy/mse"]["verdict"] == verdict


def test_what_is_not_as_it_was_is_said(toy):
    of = trained()
    path = cell_directory(Path("runs"), of.key) / "result.json"
    stored = json.loads(path.read_text())
    made = stored["provenance"]
    made["packages"]["torch"] = "1.0.0"
    made |= {"code_digest": "0" * 16, "git_commit": "a" * 40, "git_dirty": True, "workers": 2}
    write_json(Path("published.json"), stored)

    remarks = reproduction.prepare(Path("published.json"), threads=2).remarks

    assert any(remark.startswith("torch: made with 1.0.0, here ") for remark in remarks)
    assert any("commit aaaaaaaaaa, with uncommitted changes" in remark for remark in remarks)
    assert any(remark.startswith("workers: made by 2") for remark in remarks)
    assert any(remark == "threads: made with 1, here 2" for remark in remarks)


def test_what_other_code_has_made_again_is_no_reproduction_of_this_one(toy, monkeypatch):
    of = trained()
    request = reproduction.prepare(cell_directory(Path("runs"), of.key) / "result.json")
    again = Path("runs/reproductions")
    reports = []

    def carry_out():
        reports.clear()
        reproduction.run(request, again, reports.append, fresh=False, manner=Manner())
        return {report.phase for report in reports}

    assert "train" in carry_out()
    assert carry_out() == {"done"}
    monkeypatch.setattr("assay.reproduction.code_digest", lambda: "another")
    assert "train" in carry_out()


def test_a_result_without_its_data_is_refused_in_words(toy, monkeypatch):
    of = trained()
    path = cell_directory(Path("runs"), of.key) / "result.json"
    other = SimpleNamespace(digest="1" * 16, name="line", source="elsewhere")

    def absent(name):
        raise DataError("line: no such folder")

    monkeypatch.setattr(sets, "prepare", lambda name: other)
    with pytest.raises(DataError, match="digest 1111111111111111, the cell was made for 000000"):
        invoke("reproduce", str(path))
    monkeypatch.setattr(sets, "prepare", absent)
    with pytest.raises(DataError, match="no such folder"):
        invoke("reproduce", str(path))


def test_a_result_that_names_no_digest_is_refused_in_words(tmp_path):
    of = cell({"architecture": "gnn", "process": "diffusion"})
    of["data"] = {"name": "mini"}
    write_json(tmp_path / "published.json", result(of, 0.8))

    with pytest.raises(DataError, match="does not say by name and digest which data"):
        reproduction.prepare(tmp_path / "published.json")


def test_a_cell_that_this_version_does_not_know_says_which_commit_does(toy):
    of = cell({"architecture": "gnn", "process": "diffusion"})
    of["settings"] = {"network": {"size": "xs", "colour": "red"}}
    write_json(Path("published.json"), result(of, 0.8))

    with pytest.raises(ConfigError, match=r"unknown key .*colour.*git checkout dddddddddd"):
        reproduction.prepare(Path("published.json"))


def test_a_changed_protocol_is_neither_inside_nor_outside():
    published = result(cell({"architecture": "gnn", "process": "diffusion"}), 0.8)
    changed = estimate(0.8, version="2")
    estimates = {**published.estimates, "edm/validity": changed}
    again = published.model_copy(update={"estimates": estimates})

    found = reproduction.compare(published, again)

    verdicts = {line.metric: line.verdict for line in found.lines}
    assert verdicts.pop("edm/validity") == "other version"
    assert set(verdicts.values()) == {"same bits"}
    assert found.confirmed
    nothing = again.model_copy(update={"estimates": {}})
    assert not reproduction.compare(published, nothing).confirmed


def test_two_cells_are_compared_by_their_keys_and_side_by_side(toy):
    results = write_suite(Path("results") / "grid_mini")
    keys = [each.provenance.cell_key for each in (results[0], results[-1])]

    shown = invoke("compare", *keys)
    told = json.loads(invoke("compare", *keys, "--json", "-"))

    assert "Side by side" in shown
    line = told["side_by_side"]["estimates"]["edm/atom_stability"]
    assert line["first"] == results[0].estimates["edm/atom_stability"].model_dump()
    assert line["relation"] == "A"
    assert told["figure"] == "edm/molecule_stability"


def test_what_is_of_two_versions_is_shown_side_by_side_and_why_it_is_not_compared(toy):
    folder = Path("results") / "grid_mini"
    one, other = write_suite(folder)[:2]
    changed = {k: v.model_copy(update={"version": "2"}) for k, v in other.estimates.items()}
    later = other.model_copy(update={"estimates": changed})
    keys = [each.provenance.cell_key for each in (one, later)]
    write_json(folder / f"{keys[1]}.json", later)

    shown = invoke("compare", *keys)
    assert "Side by side" in shown
    assert "is of versions 1, 2" in shown
    assert "is of versions 1, 2" in json.loads(invoke("compare", *keys, "--json", "-"))["unpaired"]
    with pytest.raises(DataError, match="is of versions 1, 2"):
        invoke("compare", *keys, "--figure", "edm/validity")


def test_two_seeds_of_one_model_are_shown_and_not_compared(toy):
    write_suite(Path("results") / "grid_mini", seeds=(0, 1))
    found = [r for r in results_of(["results/grid_mini"], Path("runs"), Path("results"))
             if r.label == "gnn-diffusion"]  # fmt: skip
    keys = [each.provenance.cell_key for each in found]

    assert "Both are one model" in invoke("compare", *keys)
    with pytest.raises(DataError, match="Both are one model"):
        invoke("compare", *keys, "--figure", "edm/validity")


def test_a_cell_without_a_result_cannot_be_compared(toy):
    of = toy_cell()
    train_until(of, Execution(), Path("runs"), lambda report: None, 0.25)

    with pytest.raises(ConfigError, match="has no result; it is interrupted"):
        invoke("compare", of.key, of.key)


def test_a_harmed_published_file_is_not_shown(toy):
    (first, *_) = write_suite(Path("results") / "grid_mini")
    path = Path("results/grid_mini") / f"{first.provenance.cell_key}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))

    with pytest.raises(DataError, match="edited"):
        invoke("show", first.provenance.cell_key)
