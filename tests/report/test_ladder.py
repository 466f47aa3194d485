import argparse
import io

import pytest
from rich.console import Console

from assay.config import digest16
from assay.errors import DataError
from assay.report import ladder
from assay.result import read_result
from assay.statistics.scaling.runs import read_runs
from tests.jobs import FOLDER, module_of


@pytest.fixture
def result(mini, trained_folder):
    return read_result(trained_folder / "result.json")


def test_a_result_becomes_a_run_that_is_read_again(result, tmp_path):
    (row,) = ladder.rows([result], result.label, "held_out/x_mse")

    ladder.write_csv([row], tmp_path / "runs.csv")
    runs = read_runs(tmp_path / "runs.csv")

    assert row["cell"] == result.provenance.cell_key
    assert runs.params_R.tolist() == [result.cost.parameters]
    assert runs.unique_R.tolist() == [min(result.cost.records, result.cost.samples)]
    assert runs.flops_R.tolist() == [result.cost.flops]
    assert runs.loss_R.tolist() == [result.estimates["held_out/x_mse"].value]


def test_a_share_becomes_what_is_missing(result):
    (row,) = ladder.rows([result], result.label, "edm/atom_stability")

    assert row["loss"] == 1 - result.estimates["edm/atom_stability"].value
    assert ladder.column("edm/atom_stability") == "1 - edm/atom_stability"
    assert ladder.rows([result], "another", "edm/atom_stability") == []


@pytest.mark.parametrize(("warmup_steps", "chains"), [(9, 2), (None, 3)])
def test_budgets_of_one_beginning_are_a_chain(result, warmup_steps, chains):
    def changed(**changes):
        training = {**result.cell["training"], "warmup_steps": warmup_steps}
        cell = {**result.cell, "training": training, **changes}
        made = result.provenance.model_copy(update={"cell_key": digest16(cell)})
        return result.model_copy(update={"cell": cell, "provenance": made})

    runs = [changed(), changed(budget={"steps": 9}), changed(seed=5)]
    found = {row["chain"] for row in ladder.rows(runs, result.label, "held_out/x_mse")}

    assert len(found) == chains


def test_laws_are_of_what_is_asked_for_or_of_what_there_is(result):
    assert ladder.figures_of([result], []) == ["held_out/x_mse", "edm/atom_stability"]
    assert ladder.figures_of([result], ["edm/validity"]) == ["edm/validity"]
    with pytest.raises(DataError, match="has no estimate fcd/fcd, only "):
        ladder.figures_of([result], ["fcd/fcd"])
    bare = result.model_copy(update={"estimates": {}})
    with pytest.raises(DataError, match="none of held_out/x_mse"):
        ladder.figures_of([bare], [])


def test_runs_of_several_versions_have_no_law(result):
    figure = "held_out/x_mse"
    older = result.estimates[figure].model_copy(update={"version": "1"})
    old = result.model_copy(update={"estimates": {**result.estimates, figure: older}})
    with pytest.raises(DataError, match=f"{figure}: is of versions 1, 2, not comparable"):
        ladder.rows([result, old], result.label, figure)


def test_a_result_that_does_not_say_its_records_is_named(result):
    old = result.model_copy(update={"cost": result.cost.model_copy(update={"records": None})})
    with pytest.raises(DataError, match="does not say how many training records there were"):
        ladder.rows([old], old.label, "held_out/x_mse")


def test_laws_of_other_runs_are_removed_and_those_of_these_are_kept(result, tmp_path):
    for figure in ("held_out/x_mse", "edm/atom_stability"):
        (row,) = ladder.rows([result], result.label, figure)
        cell = row["cell"] if figure == "held_out/x_mse" else "0" * 16
        stem = f"{result.label}.{figure.replace('/', '.')}"
        ladder.write_csv([row | {"cell": cell}], tmp_path / f"{stem}.csv")
        (tmp_path / f"{stem}.json").write_text("{}")

    ladder.drop_older(tmp_path, [result])
    ladder.drop_older(tmp_path / "nowhere", [result])

    kept = f"{result.label}.held_out.x_mse"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{kept}.csv", f"{kept}.json"]


def test_a_figure_that_was_measured_nowhere_has_no_law_and_leaves_none(result, tmp_path):
    nothing = {"edm/uniqueness": result.estimates["edm/uniqueness"].model_copy(update={"n": 0})}
    empty = result.model_copy(update={"estimates": nothing})
    stem = tmp_path / f"{result.label}.edm.uniqueness"
    for end in ("csv", "json", "html"):
        stem.with_name(f"{stem.name}.{end}").write_text("old")
    shown = io.StringIO()
    given = argparse.Namespace(form="auto", bootstraps=0)

    job = module_of(FOLDER / "scaling_laws.py")
    console = Console(file=shown, width=120)
    job._fit([empty], result.label, "edm/uniqueness", given, tmp_path, console)

    assert "no law: edm/uniqueness: was measured in no cell of" in shown.getvalue()
    assert list(tmp_path.iterdir()) == []
