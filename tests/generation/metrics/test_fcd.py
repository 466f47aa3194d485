import numpy as np
import pytest

from assay.errors import DataError
from assay.generation.metrics import fcd
from assay.generation.metrics.protocol import Scoring
from assay.statistics.intervals import linearised
from tests.chemistry import geometries as g
from tests.generation.metrics import held


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path


def gaussians(shift, count, generator, D=6):
    """Activations of `count` samples, and a reference whose mean lies `shift` further."""
    reference = fcd.Gaussian(np.full(D, float(shift)), np.diag(np.arange(1.0, D + 1)))
    return generator.normal(size=(count, D)).astype(np.float32), reference


def test_the_distance_of_diagonal_gaussians_is_known():
    """|m - m'|² + Σ (√c - √c')², Dowson and Landau, J. Multivar. Anal. 12 (1982) 450."""
    corners = np.array([[x, y] for x in (-1, 1) for y in (-2, 2)], dtype=np.float32)
    reference = fcd.Gaussian(np.array([3.0, 0.0]), np.diag([4.0, 9.0]))
    c = np.array([4, 16]) / 3
    expected = 9 + ((np.sqrt(c) - [2, 3]) ** 2).sum()
    assert fcd.distance(corners, reference)[0] == pytest.approx(expected, rel=1e-12)


def test_a_set_is_at_no_distance_from_itself():
    found, _ = gaussians(0, 40, np.random.default_rng(0))
    value, _ = fcd.distance(found, fcd.Gaussian.fitted(found))
    assert value == pytest.approx(0, abs=1e-6)


def test_the_influence_is_the_derivative():
    """Every sample counts 200 times, and one of them once more."""
    found, reference = gaussians(1.0, 50, np.random.default_rng(1))
    often = np.repeat(found, 200, axis=0)
    value, influence = fcd.distance(often, reference)
    for k in (0, 17, 49):
        more, _ = fcd.distance(np.concatenate([often, found[k : k + 1]]), reference)
        expected = influence[200 * k] - influence.mean()
        assert (len(often) + 1) * (more - value) == pytest.approx(expected, rel=0.01, abs=0.01)


def test_directions_in_which_samples_do_not_vary_do_no_harm():
    found, reference = gaussians(1.0, 4, np.random.default_rng(2))
    value, influence = fcd.distance(found, reference)
    assert np.isfinite(value)
    assert np.isfinite(influence).all()


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_the_interval_covers_the_values_of_fresh_samples(shift):
    generator = np.random.default_rng(3)
    drawn = [fcd.distance(*gaussians(shift, 200, generator)) for _ in range(300)]
    middle = np.mean([value for value, _ in drawn])
    intervals = [linearised(value, each, resamples=300) for value, each in drawn]
    covered = np.mean([low <= middle <= high for low, high in intervals])
    assert 0.92 < covered <= 1.0


def test_distinct_smiles_imply_hydrogens_and_are_sorted():
    samples = g.pack(held.embedded("CCO", "CC#N", "CCO"), g.CARBON_MONOXIDE)
    assert fcd.distinct_smiles(samples) == ["CC#N", "CCO"]


def test_the_reference_is_computed_once(cache, monkeypatch):
    scoring = Scoring(held.embedded("CCO", "CC=O", "CCN"), held.reference())
    first = fcd.FCD().evaluate(scoring)
    calls = []
    real = fcd.activations
    monkeypatch.setattr(fcd, "activations", lambda texts: calls.append(len(texts)) or real(texts))
    assert fcd.FCD().evaluate(scoring) == first
    assert calls == [3]


def test_n_counts_distinct_molecules():
    found = fcd.FCD().evaluate(
        Scoring(held.embedded("CCO", "CCO", "CC=O", "CCN"), held.reference(), rejected=5)
    )
    assert found["fcd/fcd"].n == 3
    assert found["fcd/fcd"].better == "lower"


def test_one_molecule_has_no_distance():
    assert fcd.FCD().evaluate(Scoring(held.embedded("CCO", "CCO"), held.reference())) == {}


def test_a_reference_without_valid_molecules_is_an_error():
    empty = held.Held(g.WATER, g.WATER, g.CARBON_MONOXIDE)
    with pytest.raises(DataError, match="held: has too few valid molecules in its test split"):
        fcd.FCD().evaluate(Scoring(held.embedded("CCO", "CC=O"), empty))
