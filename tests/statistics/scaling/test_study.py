import json
import math
from dataclasses import replace

import numpy as np
import pytest

from assay.errors import DataError
from assay.report.law_curves import curves
from assay.report.scaling import document, draw, tables
from assay.statistics.scaling.extrapolation import extrapolate
from assay.statistics.scaling.forms import FORMS
from assay.statistics.scaling.runs import Runs
from assay.statistics.scaling.study import study
from tests.statistics.scaling.laws import CHINCHILLA, ladder

SIZES, SAMPLES = np.geomspace(5e7, 1.6e10, 6), np.geomspace(2e9, 4e11, 6)


@pytest.fixture(scope="module")
def studied():
    return study(ladder(CHINCHILLA, SIZES, SAMPLES, 0.003, seed=0), bootstraps=100)


def test_the_largest_budget_is_foretold_from_the_others():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.003, seed=0)

    found = extrapolate(FORMS["params_samples"], runs, bootstraps=100)

    assert len(found.held_out) == 1
    assert found.held_out.budget_R[0] == runs.budget_R.max()
    assert len(found.of_others.runs) == len(runs) - 1
    assert abs(found.error) < 0.01
    assert found.low_H[0] < found.predicted_H[0] < found.high_H[0]


def test_a_wrong_form_foretells_badly():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.0, seed=0)

    good, bad = (extrapolate(FORMS[name], runs, 100) for name in ("params_samples", "params"))

    assert abs(good.error) < 1e-3 < 0.02 < abs(bad.error)


def test_the_form_that_made_the_runs_comes_first(studied):
    assert studied.law.form.name == "params_samples"
    assert studied.others[0] is studied.law
    assert [fit.aicc for fit in studied.others] == sorted(fit.aicc for fit in studied.others)


def test_the_document_is_plain_json_with_every_parameter(studied):
    found = json.loads(json.dumps(document(studied, "runs.csv"), allow_nan=False))

    named = {*found["metrics"], *found["refused"]}
    assert named == {f"scaling/{name}" for name in ("E", "A", "alpha", "B", "beta")}
    for estimate in found["metrics"].values():
        assert estimate["low"] <= estimate["value"] <= estimate["high"]
        assert estimate["n"] == 36
    assert found["isoflop"]["reason"].startswith("0 budgets of FLOPs have a best size")
    assert math.isclose(found["best_sizes"]["cost"]["exponent"], 1, rel_tol=1e-9)


def test_tables_and_page_are_made_of_every_study(studied, tmp_path):
    page = tmp_path / "law.html"
    draw(studied, "runs.csv", page)

    titles = [table.title for table in tables(studied)]

    assert titles[0] == "L = E + A/N^alpha + B/D^beta, 36 runs"
    assert titles[1:] == ["Forms", "The largest budget, held out", "Best sizes", "IsoFLOP"]
    text = page.read_text()
    assert "best size" in text
    assert "IsoFLOP parabolas" not in text


def test_what_one_variable_shows_is_fitted_by_itself():
    runs = ladder(CHINCHILLA, SIZES[:1], np.geomspace(2e9, 4e11, 12), 0.001, seed=0)

    found = study(runs, bootstraps=100)

    assert found.law.form.name == "samples"
    assert found.best == "L = E + B/D^beta: has no best size; it takes a law of params and samples"


def test_repetitions_of_one_size_have_a_law_and_its_curves():
    """The design of sweeps/scaling_data.yaml: four numbers of records by three of samples."""
    seen, records = (x.ravel() for x in np.meshgrid([4096, 8192, 16384], [128, 512, 2048, 1e5]))
    unique = np.minimum(seen, records)
    worth = unique * (1 + 5 * -np.expm1(-(seen / unique - 1) / 5))
    off_R = np.random.default_rng(0).normal(0, 2e-3, 24)
    loss_R = np.tile(0.1 + 2 * worth**-0.3, 2) * np.exp(off_R)
    seen_R, unique_R = np.tile(seen, 2), np.tile(unique, 2)
    chain_R = np.unique(np.tile(records, 2) + np.repeat([0.0, 0.5], 12), return_inverse=True)[1]

    found = study(Runs(np.full(24, 8e4), seen_R, loss_R, None, unique_R, chain_R), bootstraps=100)

    assert found.law.form.name == "repeated_samples"
    assert found.law.parameters()["R_star"].value == pytest.approx(5, rel=0.2)
    drawn = list(curves(found))
    assert [curve.name for curve in drawn] == [
        "all samples distinct", "128 distinct samples", "512 distinct samples",
        "2,048 distinct samples",
    ]  # fmt: skip
    for curve in drawn:
        assert (curve.along, len(curve.x_R)) == ("samples", 6)
        np.testing.assert_allclose(curve.x_G[[0, -1]], [4096, 16384])
        assert np.all((curve.low_G <= curve.value_G) & (curve.value_G <= curve.high_G))
    distinct = drawn[0]
    assert distinct.value_G[-1] < min(curve.value_G[-1] for curve in drawn[1:])


def test_a_form_with_an_exponent_that_is_not_known_gives_way_to_a_better_one():
    """Sizes that make no difference: the law is one of samples, and the reason is given."""
    params_R, samples_R = (x.ravel() for x in np.meshgrid(SIZES[:4], np.geomspace(2e9, 4e11, 6)))
    noise_R = np.exp(np.random.default_rng(0).normal(0, 0.01, len(params_R)))
    runs = Runs(params_R.round(), samples_R.round(), 2000 * samples_R**-0.3 * noise_R)

    found = study(runs, bootstraps=100)

    assert found.law.form.name == "samples"
    assert found.law in found.others
    assert found.law.parameters()["beta"].value == pytest.approx(0.3, abs=0.02)
    assert found.passed_over.startswith("L = E + A/N^alpha + B/D^beta is passed over")
    assert "alpha: the loss need not fall at all" in found.passed_over
    asked = study(runs, "params_samples", bootstraps=50)
    assert asked.law.form.name == "params_samples"
    assert not asked.passed_over


@pytest.fixture(scope="module")
def of_equal_flops():
    """Five sizes at three budgets of FLOPs, two seeds; the least size repeats samples, a little."""
    generator, rows = np.random.default_rng(0), []
    for flops in (1e11, 3.2e11, 1e12):
        for size in np.geomspace(5e3, 9e4, 5).round():
            for _ in range(2):
                samples = round(flops / (480 * size) * generator.uniform(0.99, 1.01))
                rows.append((size, samples, flops))
    params_R, samples_R, flops_R = np.array(rows).T
    truth_R = 0.05 + 20 * params_R**-0.5 + 20 * samples_R**-0.5
    loss_R = truth_R * np.exp(generator.normal(0, 0.005, len(rows)))
    return Runs(params_R, samples_R, loss_R, flops_R, np.minimum(samples_R, 1e5))


def test_a_few_repeated_samples_do_not_cost_a_ladder_its_best_sizes(of_equal_flops):
    assert (of_equal_flops.unique_R < of_equal_flops.samples_R).any()
    found = study(of_equal_flops, bootstraps=100)

    assert found.law.form.name == "params_samples"
    assert "R_star" in found.passed_over
    assert not isinstance(found.best, str)


def test_a_ladder_of_equal_flops_has_a_curve_a_size(of_equal_flops):
    drawn = list(curves(study(of_equal_flops, "params_samples", bootstraps=20)))

    assert [curve.name for curve in drawn][:1] == ["5,000 parameters"]
    assert len(drawn) == 5
    assert all(curve.along == "samples" and curve.x_G[0] < curve.x_G[-1] for curve in drawn)


def test_equal_budgets_say_why_nothing_can_be_fitted():
    same = np.ones(6)
    runs = Runs(1e6 * same, 1e7 * same, np.linspace(1, 2, 6))
    with pytest.raises(DataError, match="params: all are equal; a floor and a power of it need"):
        study(runs)


def test_one_budget_of_several_sizes_says_so():
    params_R = np.geomspace(1e5, 1e7, 8).round()
    runs = Runs(params_R, (1e13 / params_R).round(), np.linspace(1, 2, 8))
    with pytest.raises(DataError, match="all budgets are equal: the runs lie within a tenth of"):
        study(runs)


def test_what_lies_beyond_all_numbers_is_refused_and_still_json(studied):
    """Of three sizes a resample may have an exponent of hundreds, and a factor beyond 10^308."""
    law = studied.law
    wild = law.thetas_BP.copy()
    wild[:, 3] = 400.0
    unknown = replace(studied, law=replace(law, thetas_BP=wild))

    found = json.loads(json.dumps(document(unknown, "runs.csv"), allow_nan=False))

    assert found["refused"]["scaling/A"]["high"] is None
    assert "too little of it" in found["refused"]["scaling/A"]["reason"]
