import numpy as np
import pytest

from assay.errors import DataError
from assay.statistics.scaling.fit import fit
from assay.statistics.scaling.forms import FORMS
from assay.statistics.scaling.isoflop import isoflop
from assay.statistics.scaling.optimum import optimum
from assay.statistics.scaling.runs import Runs
from tests.statistics.scaling.laws import CHINCHILLA, ladder, loss

A_OF_THE_LAW = 0.3658 / (0.3478 + 0.3658)


def valleys(noise=0.0, budgets=(1e20, 3e20, 1e21, 3e21, 1e22), sizes=9, width=2.0):
    """Runs of equal FLOPs around the best size of each budget."""
    law, generator = CHINCHILLA, np.random.default_rng(0)
    factor = law["alpha"] * law["A"] / (law["beta"] * law["B"])
    params, samples = [], []
    for C in budgets:
        best = (factor * (C / 6) ** law["beta"]) ** (1 / (law["alpha"] + law["beta"]))
        sizes_N = np.round(best * np.geomspace(1 / width, width, sizes))
        params.append(sizes_N)
        samples.append(np.round(C / 6 / sizes_N))
    params_R, samples_R = np.concatenate(params), np.concatenate(samples)
    off_R = np.exp(generator.normal(0, noise, len(params_R)))
    loss_R = loss(law, params_R, samples_R) * off_R
    return Runs(params_R, samples_R, loss_R, 6 * params_R * samples_R)


def test_exponents_of_parabolas_are_those_of_the_law():
    found = isoflop(valleys(), bootstraps=50)

    assert len(found.valleys) == 5
    assert found.a.value == pytest.approx(A_OF_THE_LAW, abs=2e-3)
    assert found.b.value == pytest.approx(1 - A_OF_THE_LAW, abs=2e-3)


def test_with_noise_the_exponent_lies_within_its_interval():
    found = isoflop(valleys(noise=2e-4), bootstraps=500)

    assert found.a.low <= A_OF_THE_LAW <= found.a.high
    assert found.a.low < found.a.high


def test_a_budget_without_a_minimum_is_left_out_and_said():
    runs = valleys()
    top = runs.flops_R > 5e21
    rising = Runs(
        runs.params_R, runs.samples_R, np.where(top, runs.params_R, runs.loss_R), runs.flops_R
    )

    found = isoflop(rising, bootstraps=20)

    assert len(found.valleys) == 4
    assert found.left_out == (
        "1e+22 FLOPs: the loss is not least between the smallest and the largest size",
    )


def test_budgets_with_few_sizes_are_counted_and_not_listed():
    runs = valleys()
    apart = Runs(
        runs.params_R, runs.samples_R, runs.loss_R, runs.flops_R * np.geomspace(1, 1e3, len(runs))
    )
    with pytest.raises(
        DataError, match=r"0 budgets .* needed \(\d+ budgets were run at fewer than 4"
    ):
        isoflop(apart, bootstraps=10)


def test_two_budgets_tell_no_exponent():
    with pytest.raises(DataError, match="2 budgets of FLOPs have a best size; 3 are needed"):
        isoflop(valleys(budgets=(1e20, 1e21)), bootstraps=10)


def test_runs_without_flops_have_no_budgets():
    runs = valleys()
    with pytest.raises(DataError, match="flops: the runs have no such column"):
        isoflop(Runs(runs.params_R, runs.samples_R, runs.loss_R))


def test_best_sizes_follow_from_the_law_in_closed_form():
    """Hoffmann et al. 2022, equation 4, with C = 6 N D."""
    law = CHINCHILLA
    runs = ladder(law, np.geomspace(5e7, 1.6e10, 8), np.geomspace(2e9, 4e11, 8), 0.0, seed=0)
    C = np.array([5.76e23])

    found = optimum(fit(FORMS["params_samples"], runs, bootstraps=100), C)

    G = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / (law["alpha"] + law["beta"]))
    best_N = G * (C[0] / 6) ** A_OF_THE_LAW
    assert found.a.value == pytest.approx(A_OF_THE_LAW, rel=2e-3)
    assert found.params_G[0].value == pytest.approx(best_N, rel=0.02)
    assert found.samples_G[0].value == pytest.approx(C[0] / 6 / best_N, rel=0.02)
    least = loss(law, np.array([best_N]), np.array([C[0] / 6 / best_N]))[0]
    assert found.loss_G[0].value == pytest.approx(least, rel=1e-4)


def test_a_law_of_one_variable_has_no_best_size():
    runs = valleys()
    with pytest.raises(DataError, match="takes a law of params and samples"):
        optimum(fit(FORMS["flops"], runs, bootstraps=100), np.array([1e22]))
