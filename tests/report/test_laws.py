import json
import shutil

import numpy as np
import pytest

from assay import report
from assay.errors import DataError
from assay.report import laws
from assay.report.law_curves import plain_curves
from assay.report.scaling import document
from assay.result import write_json
from assay.statistics.scaling.runs import read_runs
from assay.statistics.scaling.study import study
from tests.report.markup import parse
from tests.report.synthetic import write_suite

NAME = "gnn-diffusion.held_out.x_mse"


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Twelve runs of L = 0.05 + 2 D^-0.5, but for half a per cent; sizes do not matter."""
    samples = np.geomspace(1_000, 200_000, 12).round().astype(int)
    noise = np.random.default_rng(0).normal(0, 0.005, 12)
    loss = (0.05 + 2 * samples**-0.5) * np.exp(noise)
    path = tmp_path_factory.mktemp("runs") / f"{NAME}.csv"
    rows = [f"30000,{d},{each!r}" for d, each in zip(samples, loss.tolist(), strict=True)]
    path.write_text("\n".join(["params,samples,loss", *rows]) + "\n")
    return path, study(read_runs(path), bootstraps=100)


@pytest.fixture
def folder(studied, tmp_path):
    path, found = studied
    write_suite(tmp_path, with_samples=False, with_curves=False)
    (tmp_path / "laws").mkdir()
    shutil.copy(path, tmp_path / "laws")
    write_json(tmp_path / "laws" / f"{NAME}.json", document(found, path.name))
    return tmp_path


def edited(folder, **changes):
    path = folder / "laws" / f"{NAME}.json"
    write_json(path, json.loads(path.read_text()) | changes)


def test_a_document_keeps_the_curve_with_its_band(studied):
    _, found = studied
    (curve,) = plain_curves(found)

    assert curve["along"] == "samples"
    assert (curve["x"][0], curve["x"][-1]) == (1000, 200_000)
    truth = 0.05 + 2 * np.array(curve["x"]) ** -0.5
    assert np.allclose(curve["value"], truth, rtol=0.02)
    assert np.all(np.array(curve["low"]) <= curve["value"])
    assert np.all(np.array(curve["high"]) >= curve["value"])
    assert np.all(np.array(curve["high"]) > np.array(curve["low"]))


def test_a_law_is_read_with_its_runs(folder):
    (found,) = laws.read_laws(folder)

    assert found.title == "gnn-diffusion: x-MSE"
    assert len(found.runs) == 12
    drawn = laws.chart(found)
    assert (drawn["along"], drawn["beside"]) == ("samples", "params")
    assert drawn["runs"][0] == [1000, found.runs[0]["loss"], 30_000]
    assert len(drawn["curves"][0]["x"]) == len(drawn["curves"][0]["high"])


def test_the_page_has_parameters_and_says_what_is_not_known(folder, tmp_path):
    out = report.build([folder], tmp_path / "report.html")
    section = parse(out.read_text()).one("section", id="s1-laws")

    parameters, *_ = section.all("table")
    assert parameters.one("caption").text == "L = E + B/D^beta, 12 runs"
    shown = {row.one("th").text: row.all("td")[0].text for row in parameters.one("tbody").all("tr")}
    assert float(shown["beta"]) == pytest.approx(0.5, abs=0.05)
    refusals = section.one("ul", class_="refusals").text
    assert "No best sizes: L = E + B/D^beta: has no best size" in refusals
    assert "No IsoFLOP parabolas:" in refusals
    assert "The curve was not kept" not in refusals
    assert section.one("pre", class_="command").text == (
        f"assay scaling fit {NAME}.csv --json {NAME}.json"
    )


def test_a_refused_parameter_is_not_given_a_value(folder):
    reason = "the runs see no floor"
    edited(folder, refused={"scaling/E": {"value": 1e-11, "low": 0, "high": 1, "reason": reason}})

    (found,) = laws.read_laws(folder)

    assert "E is not known: the runs see no floor." in laws.refusals(found)
    parameters = next(laws.tables(found))
    assert ("E", "not known", "") in parameters.rows


def test_best_sizes_and_parabolas_are_tables_where_they_are_known(folder):
    ends = {"value": 1e6, "low": 9e5, "high": 1.2e6}
    power = {"value": 0.5, "low": 0.4, "high": 0.6}
    budget = {"flops": 1e15, "params": ends, "samples": ends, "loss": {**ends, "reason": "why"}}
    edited(folder, best_sizes={"a": power, "b": power, "budgets": [budget] * 4})

    (found,) = laws.read_laws(folder)
    (sizes,) = (table for table in laws.tables(found) if table.title == "Best sizes")

    assert sizes.rows[0] == ("1.00 PFLOP", *["1e+06 [9e+05, 1.2e+06]"] * 2,
                             "not known [9e+05, 1.2e+06]")  # fmt: skip
    assert len(sizes.rows) == 2
    assert sizes.caption.startswith("N* ~ C^a, a = 0.5 [0.4, 0.6]")


def test_the_share_of_resamples_that_best_sizes_are_of_is_said(folder):
    at = {name: {"value": 1e5, "low": 9e4, "high": 2e5} for name in ("params", "samples", "loss")}
    power = {"value": 0.5, "low": 0.4, "high": 0.6}
    sizes = {"budgets": [{"flops": 1e12, **at}], "a": power, "b": power}
    edited(folder, best_sizes={**sizes, "resamples_that_fall": 0.62})
    (found,) = laws.read_laws(folder)
    (table,) = (each for each in laws.tables(found) if each.title == "Best sizes")

    assert table.caption.endswith(
        "intervals are of the 62.0% of resamples in which both powers fall"
    )


def test_a_law_of_before_curves_were_kept_is_shown_without(folder):
    edited(folder, curves=[])

    (found,) = laws.read_laws(folder)

    assert laws.chart(found)["curves"] == []
    assert any("The curve was not kept" in each for each in laws.refusals(found))


def test_a_law_that_is_damaged_is_named(folder):
    (folder / "laws" / f"{NAME}.json").write_text("{}")

    with pytest.raises(DataError, match=rf"{NAME}\.json: key 'metrics' is required"):
        laws.read_laws(folder)
