"""What the report is given of a cell of planets."""

import numpy as np
import pytest

from assay.habitability.data.modalities import MODALITIES, PARAMETERS
from assay.habitability.data.samples import pathways_in, texts_in
from assay.habitability.figures import PLANETS, PlanetFile, planet_file
from assay.pathways.data.packing import graphs_of

GIVEN = ("network", "temperature_K", "depth_ppm", "words", "parameters")
"""Where each of MODALITIES stands."""


def test_the_first_test_records_are_shown_with_what_models_read_of_them(planets):
    rows, arrays = planets.split_indices("test"), planets.arrays
    said = np.linspace(0.1, 0.9, len(rows))

    found = planet_file(planets, rows, said, said / 2)

    assert [one.record for one in found.planets] == rows[:PLANETS].tolist()
    groups = texts_in(planets, "groups")
    assert len({groups[one.record] for one in found.planets}) == PLANETS
    for k, one in enumerate(found.planets):
        assert one.name == texts_in(planets, "names")[one.record]
        assert one.habitability == pytest.approx(arrays["habitability"][one.record], abs=5e-5)
        assert (one.foretold, one.habitable) == pytest.approx((said[k], said[k] / 2), abs=5e-5)
        given = [bool(getattr(one, name)) for name in GIVEN]
        assert given == arrays["presence"][one.record].tolist()


def test_a_map_is_the_years_mean_and_a_spectrum_what_was_observed(planets):
    arrays = planets.arrays
    whole = np.flatnonzero(arrays["presence"].all(axis=1))[:1]

    (one,) = planet_file(planets, whole, np.ones(1), np.ones(1)).planets

    surface = arrays["climate_cubes"][arrays["cube_of"][whole[0]]][..., 0]
    np.testing.assert_allclose(one.temperature_K, surface.mean(axis=-1), atol=0.51)
    assert np.shape(one.temperature_K) == (18, 12)
    spectrum = [one.depth_ppm, one.sigma_ppm]
    np.testing.assert_allclose(spectrum, arrays["spectra"][whole[0]], rtol=1e-3)
    np.testing.assert_allclose(one.parameters, arrays["planet_params"][whole[0]], rtol=1e-3)
    assert len(one.parameters) == len(PARAMETERS)
    assert one.network == graphs_of(pathways_in(planets)).ids[int(arrays["graph_of"][whole[0]])]
    assert len(GIVEN) == len(MODALITIES)


def test_the_file_is_a_few_kilobytes_and_reads_back(planets):
    rows = planets.split_indices("test")

    text = planet_file(planets, rows, np.ones(len(rows)), np.ones(len(rows))).model_dump_json()

    assert len(text) < 20_000
    assert len(PlanetFile.model_validate_json(text).planets) == PLANETS
