from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from assay.errors import DataError
from assay.statistics.scaling.fit import DELTA, fit, huber
from assay.statistics.scaling.forms import EXPONENTS, FORMS
from assay.statistics.scaling.runs import Runs
from tests.statistics.scaling.laws import CHINCHILLA, ladder

SIZES, SAMPLES = np.geomspace(5e7, 1.6e10, 8), np.geomspace(2e9, 4e11, 8)
NAMES = ("E", "A", "alpha", "B", "beta")


def values_of(found):
    """The parameters of the fit to all runs, without intervals."""
    plain = dict(zip(found.form.parameters, found.plain(found.theta_P), strict=True))
    return {k: float(x) if k in EXPONENTS else float(np.exp(x)) for k, x in plain.items()}


def test_the_published_refit_comes_back_from_points_made_with_it():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.0, seed=0)
    found = fit(FORMS["params_samples"], runs, bootstraps=0)
    assert found.form.parameters == NAMES
    value = values_of(found)
    assert value == pytest.approx(CHINCHILLA, rel=2e-3)
    assert np.abs(found.residuals_R).max() < 1e-5


def test_with_noise_the_truth_lies_within_the_intervals():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.005, seed=1)
    found = fit(FORMS["params_samples"], runs, bootstraps=200, seed=0).parameters()
    for name in NAMES:
        assert found[name].low <= CHINCHILLA[name] <= found[name].high, name
        assert found[name].refusal is None


def test_without_resamples_nothing_has_an_interval():
    found = fit(FORMS["params"], ladder(CHINCHILLA, SIZES, SAMPLES, 0.005, seed=1), bootstraps=0)
    with pytest.raises(ValueError, match="no resamples: fit with bootstraps"):
        found.parameters()


def test_the_order_of_runs_does_not_matter():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.005, seed=2)
    order = np.random.default_rng(0).permutation(len(runs))
    one, other = (fit(FORMS["params_samples"], each, 0) for each in (runs, runs.at(order)))
    assert values_of(one) == pytest.approx(values_of(other), rel=1e-3)


def test_repeated_samples_are_told_from_new_ones():
    law, r_star = CHINCHILLA, 15.4
    params, seen, unique = np.meshgrid(SIZES[:5], np.geomspace(1e9, 1e12, 7), [1e9, 4e9, 1.6e10])
    kept = seen.ravel() >= unique.ravel()
    params_R, seen_R, unique_R = (x.ravel()[kept].round() for x in (params, seen, unique))
    worth_R = unique_R * (1 + r_star * -np.expm1(-(seen_R / unique_R - 1) / r_star))
    loss_R = law["E"] + law["A"] * params_R ** -law["alpha"] + law["B"] * worth_R ** -law["beta"]
    found = fit(FORMS["repeated"], Runs(params_R, seen_R, loss_R, None, unique_R), 0)
    value = values_of(found)
    assert value["R_star"] == pytest.approx(r_star, rel=0.01)
    assert value["beta"] == pytest.approx(law["beta"], rel=0.01)


def of_one_size(noise, seed):
    """Runs of one size: eight numbers of distinct samples, seven of samples seen."""
    law, r_star = CHINCHILLA, 15.4
    seen, unique = np.meshgrid(np.geomspace(1e8, 4e11, 9), [1e7, 1e8, 1e9, 4e9, 1.6e10, 4e11])
    seen_R = seen.ravel().round()
    unique_R = np.minimum(unique.ravel(), seen_R).round()
    worth_R = unique_R * (1 + r_star * -np.expm1(-(seen_R / unique_R - 1) / r_star))
    off_R = np.random.default_rng(seed).normal(0, noise, len(seen_R))
    loss_R = (law["E"] + law["B"] * worth_R ** -law["beta"]) * np.exp(off_R)
    return Runs(np.full(len(seen_R), 5e7), seen_R, loss_R, None, unique_R)


def test_in_one_size_repeated_samples_are_told_from_new_ones():
    law, form = CHINCHILLA, FORMS["repeated_samples"]
    assert form.parameters == ("E", "B", "beta", "R_star")
    value = values_of(fit(form, of_one_size(0.0, seed=0), bootstraps=0))
    truth = {**{name: law[name] for name in ("E", "B", "beta")}, "R_star": 15.4}
    assert value == pytest.approx(truth, rel=5e-3)

    found = fit(form, of_one_size(0.005, seed=1), bootstraps=100).parameters()

    for name, true in truth.items():
        assert found[name].refusal is None
        assert found[name].low <= true <= found[name].high, name


def test_a_floor_far_below_the_runs_is_refused():
    law = {"E": 1e-9, "A": 482.0, "alpha": 0.35, "B": 2085.0, "beta": 0.37}
    runs = ladder(law, SIZES, SAMPLES, 0.02, seed=0)
    found = fit(FORMS["params_samples"], runs, bootstraps=100).parameters()
    assert found["E"].refusal is not None
    assert "floor" in found["E"].refusal
    assert found["E"].low < 0.01 * runs.loss_R.min()


def test_a_loss_that_does_not_fall_is_refused():
    generator = np.random.default_rng(0)
    params_R, samples_R = (x.ravel() for x in np.meshgrid(SIZES.round(), SAMPLES.round()))
    loss_R = (2 + 2085 * samples_R**-0.37) * np.exp(generator.normal(0, 0.01, len(params_R)))
    found = fit(FORMS["params_samples"], Runs(params_R, samples_R, loss_R), 100).parameters()
    assert found["alpha"].refusal is not None or found["A"].refusal is not None
    assert found["beta"].refusal is None


def test_a_term_that_has_died_out_is_refused_though_its_intervals_have_no_width():
    params_R, samples_R = (x.ravel() for x in np.meshgrid(SIZES.round(), SAMPLES.round()))
    runs = Runs(params_R, samples_R, 2000 * samples_R**-0.3)
    found = fit(FORMS["params_samples"], runs, 50).parameters()
    assert found["A"].refusal is not None
    assert found["alpha"].refusal is not None
    assert found["beta"].refusal is None
    assert found["beta"].value == pytest.approx(0.3, abs=1e-3)


def test_what_repetitions_are_worth_is_refused_where_samples_are_worth_nothing():
    grid = np.meshgrid(SIZES.round(), [1e6, 4e6, 16e6], [1e6, 2e6])
    params_R, samples_R, unique_R = (x.ravel() for x in grid)
    loss_R = 2000 * params_R**-0.3
    runs = Runs(params_R, samples_R, loss_R, unique_R=np.minimum(unique_R, samples_R))

    found = fit(FORMS["repeated"], runs, 20).parameters()
    assert found["B"].refusal is not None
    assert found["R_star"].refusal is not None


def test_a_step_at_the_smallest_size_is_no_power_however_narrow_its_intervals():
    law = {"E": 0.05, "A": 0.0, "alpha": 1.0, "B": 5.0, "beta": 0.4}
    runs = ladder(law, np.geomspace(1e5, 2e6, 4), np.geomspace(2e3, 2e4, 4), 0.003, seed=0)
    smallest_R = runs.params_R == runs.params_R.min()
    stepped = replace(runs, loss_R=runs.loss_R * np.where(smallest_R, 1.05, 1.0))

    found = fit(FORMS["params_samples"], stepped, bootstraps=50).parameters()

    assert found["alpha"].refusal is not None
    assert found["alpha"].refusal.endswith("at one value alone: a step, whose power cannot be told")
    assert found["alpha"].low > 0
    assert found["beta"].refusal is None


def test_the_huber_density_tends_to_the_normal_one():
    runs = ladder(CHINCHILLA, SIZES, SAMPLES, 1e-5, seed=0)
    found = fit(FORMS["params_samples"], runs, bootstraps=0)
    off_R = found.residuals_R
    expected = norm.logpdf(off_R, scale=np.sqrt((off_R**2).mean())).sum()
    assert np.abs(off_R).max() < DELTA
    assert found.log_likelihood == pytest.approx(expected, rel=1e-4)


def test_huber_is_quadratic_and_then_linear():
    np.testing.assert_allclose(huber(np.array([0.0, 0.5, -1.0, 3.0]), 1.0), [0, 0.125, 0.5, 2.5])


def test_runs_that_share_a_beginning_make_intervals_wider():
    params_R, samples_R = (x.ravel() for x in np.meshgrid(SIZES.round(), SAMPLES.round()))
    size_R = np.unique(params_R, return_inverse=True)[1]
    of_size = np.random.default_rng(3).normal(0, 0.01, len(SIZES))[size_R]
    loss_R = (1.8 + 482 * params_R**-0.35) * np.exp(of_size)
    apart, together = (
        fit(FORMS["params"], Runs(params_R, samples_R, loss_R, chain_R=chain_R), 100).parameters()
        for chain_R in (None, size_R)
    )

    def width(found):
        return found["E"].high - found["E"].low

    assert width(together) > 1.5 * width(apart)


def test_runs_of_a_chain_weigh_as_one_when_forms_are_compared():
    """Eight runs of one chance each: the criterion is that of one of them, given their fit."""
    params_R = np.repeat(SIZES.round(), 8)
    off_R = np.repeat(np.random.default_rng(5).normal(0, 0.01, len(SIZES)), 8)
    loss_R = (1.8 + 482 * params_R**-0.35) * np.exp(off_R)
    samples_R, chain_R = np.tile(SAMPLES.round(), 8), np.repeat(np.arange(8), 8)

    once = fit(FORMS["params"], Runs(params_R[::8], samples_R[:8], loss_R[::8]), 0)
    chained = fit(FORMS["params"], Runs(params_R, samples_R, loss_R, chain_R=chain_R), 0)
    apart = fit(FORMS["params"], Runs(params_R, samples_R, loss_R), 0)

    assert chained.aicc == pytest.approx(once.aicc, abs=0.05)
    assert apart.aicc == pytest.approx(8 - 2 * apart.log_likelihood + 40 / 59)
    assert fit(FORMS["params_samples"], chained.runs, 0).aicc < np.inf
    assert fit(FORMS["params"], chained.runs.at(chain_R < 5), 0).aicc == np.inf


def test_too_few_chains_have_no_intervals():
    params_R, samples_R = (x.ravel() for x in np.meshgrid(SIZES[:3].round(), SAMPLES.round()))
    loss_R = 1.8 + 482 * params_R**-0.35 + 2085 * samples_R**-0.37
    size_R = np.unique(params_R, return_inverse=True)[1]
    runs = Runs(params_R, samples_R, loss_R, chain_R=size_R)

    with pytest.raises(DataError, match="3 chains of runs that share a beginning; intervals of"):
        fit(FORMS["params_samples"], runs, 100)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_intervals_hold_the_truth_as_often_as_they_say():
    held = dict.fromkeys(NAMES, 0)
    for seed in range(100):
        runs = ladder(CHINCHILLA, SIZES, SAMPLES, 0.005, seed=1000 + seed)
        found = fit(FORMS["params_samples"], runs, bootstraps=200, seed=seed).parameters()
        for name in NAMES:
            held[name] += found[name].low <= CHINCHILLA[name] <= found[name].high
    assert min(held.values()) >= 88, held
