from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from assay.errors import DataError
from assay.statistics.scaling.forms import FORMS, possible
from assay.statistics.scaling.runs import Runs
from tests.statistics.scaling.laws import CHINCHILLA, ladder, loss

SIZES, SAMPLES = np.geomspace(1e4, 1e7, 5), np.geomspace(1e5, 1e8, 5)


def some_runs():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.01, seed=0)
    unique_R = np.minimum(runs.samples_R, 3e6)
    return Runs(runs.params_R, runs.samples_R, runs.loss_R, runs.flops_R, unique_R)


def test_the_law_of_parameters_and_samples_is_the_published_one():
    runs = some_runs()
    form = FORMS["params_samples"]
    law = CHINCHILLA
    theta_P = np.array(
        [np.log(law["E"]), np.log(law["A"]), np.log(law["B"]), law["alpha"], law["beta"]]
    )
    found_R, _ = form.inputs(runs).log_loss(np.zeros(2), theta_P)
    np.testing.assert_allclose(
        np.exp(found_R), loss(law, runs.params_R, runs.samples_R), rtol=1e-12
    )


@pytest.mark.parametrize("name", list(FORMS))
def test_derivatives_are_those_of_differences(name):
    runs, form = some_runs(), FORMS[name]
    inputs, P = form.inputs(runs), len(form.parameters)
    T = len(form.variables)
    centre_T = inputs.logs_TR.mean(axis=1)
    theta_P = np.array([0.3, *[0.1] * T, *[0.4, 0.2][:T], *([1.2] if form.repeats else [])])
    assert len(theta_P) == P
    _, slope_RP = inputs.log_loss(centre_T, theta_P)
    for run in (0, 7, len(runs) - 1):
        expected_P = approx_fprime(
            theta_P, lambda t, run=run: float(inputs.log_loss(centre_T, t)[0][run]), 1e-7
        )
        np.testing.assert_allclose(slope_RP[run], expected_P, rtol=1e-4, atol=1e-6)


def test_samples_seen_once_are_worth_themselves_and_repeated_ones_less():
    params_R = np.full(3, 1e4)
    runs = Runs(params_R, np.array([1e5, 2e5, 1e9]), np.ones(3), None, np.full(3, 1e5))
    inputs = FORMS["repeated"].inputs(runs)
    log_worth_R, _ = inputs._worth(np.log(np.array(15.0)))
    expected = np.array([1e5, 1e5 * (1 + 15 * (1 - np.exp(-1 / 15))), 1e5 * 16])
    np.testing.assert_allclose(np.exp(log_worth_R), expected, rtol=1e-9)


def bare(runs):
    return Runs(runs.params_R, runs.samples_R, runs.loss_R)


CHOSEN = {
    "few": lambda runs: runs.at(np.arange(5)),
    "equal": lambda runs: runs.at(runs.samples_R == runs.samples_R.min()),
    "two sizes": lambda runs: runs.at(runs.params_R < 1e5),
    "bare": bare,
    "never repeated": lambda runs: replace(runs, unique_R=runs.samples_R),
    "as often": lambda runs: replace(runs, unique_R=runs.samples_R / 4),
    "in step": lambda runs: replace(runs, params_R=runs.samples_R / 100),
    "traded": lambda runs: replace(runs, params_R=1e12 / runs.samples_R),
    "one budget": lambda runs: replace(bare(runs), params_R=1e12 / runs.samples_R),
    "nearly one budget": lambda runs: replace(
        runs, flops_R=1e15 * (1 + 0.001 * np.arange(len(runs)))
    ),
}


@pytest.mark.parametrize(
    ("chosen", "name", "sentence"),
    [
        ("few", "params_samples", "need more than 5 runs, not 5"),
        ("equal", "samples", "samples: all are"),
        ("two sizes", "params_samples", "params: 2 values"),
        ("bare", "flops", "no such column"),
        ("bare", "repeated", "unique: the runs"),
        ("bare", "repeated_samples", "unique: the runs"),
        ("never repeated", "repeated", "no run repeats a sample; use the form params_samples"),
        ("never repeated", "repeated_samples", "repeats a sample; use the form samples"),
        ("as often", "repeated_samples", "every run sees its samples 4 times"),
        ("in step", "params_samples", "params and samples rise together in all runs"),
        ("in step", "repeated", "params and samples rise together in all runs"),
        ("traded", "params_samples", "params and samples are traded for each other along one line"),
        ("one budget", "params_samples", r"budgets are equal: .* 1e\+12 params · samples, where"),
        ("one budget", "params", "all budgets are equal"),
        ("nearly one budget", "params_samples", r"all budgets are equal: .* 1.02e\+15 FLOPs"),
        ("nearly one budget", "flops", "all budgets are equal"),
    ],
)
def test_runs_that_cannot_tell_are_refused(chosen, name, sentence):
    with pytest.raises(DataError, match=sentence):
        FORMS[name].require(CHOSEN[chosen](some_runs()))


def test_possible_forms_are_those_that_the_runs_allow():
    assert [form.name for form in possible(some_runs())] == list(FORMS)
    assert [form.name for form in possible(bare(some_runs()))] == [
        "params_samples",
        "params",
        "samples",
    ]
