"""The environment, most of which is unknown."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.environment import (
    check_environment,
    environment_of_taxon,
    normalised,
    physical,
)

ROW = {
    "broadest_rank": "phylum", "temp_n": "5", "temp_C_mean": "25", "ph_n": "2", "ph_mean": "7.1",
    "o2_n": "10", "frac_aerobic": "0.5", "frac_microaerophilic": "0.1",
    "frac_facultative": "0.2", "redox_n": "", "acceptor_E0_mV_mean": "",
}  # fmt: skip


def test_unknown_is_not_zero():
    values = np.array([[7.0, 310.0, 0.1, 250.0]] * 2, np.float32)
    known = np.array([[True] * 4, [False] * 4])

    scaled = normalised(values, known)

    assert not scaled.any()  # the centres, and what is not known: only the mask tells them apart
    assert normalised(values * 2, known)[0].all()
    assert not normalised(np.full((1, 4), np.nan), known[1:]).any()


def test_normalisation_is_undone():
    values = np.array([[2.0, 373.15, 0.21, -280.0]], np.float32)

    assert physical(normalised(values, np.ones((1, 4), bool))) == pytest.approx(values)


def test_a_taxon_gives_kelvin_and_a_fraction_and_leaves_out_what_few_species_tell():
    pH, temperature, oxygen, redox = environment_of_taxon(ROW)

    assert pH is None
    assert temperature == pytest.approx(298.15)
    assert oxygen == pytest.approx(0.21 * 0.7 + 0.02 * 0.1)
    assert redox is None


@pytest.mark.parametrize("rank", ["superkingdom", ""])
def test_broad_taxa_tell_nothing(rank):
    assert environment_of_taxon({**ROW, "broadest_rank": rank}) == (None,) * 4


@pytest.mark.parametrize(
    "values", [(-1, 1e-3, 0, -2000), (15, 450, 1, 2000), (None, None, None, None)]
)
def test_the_bounds_are_allowed(values):
    check_environment(values, "here")


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (0, -1.01, "pH is -1.01,"), (0, 15.01, "pH"), (1, 0, "temperature is 0 K"),
        (1, -3, "temperature"), (1, 450.1, "temperature"), (2, -0.01, "oxygen"),
        (2, 1.01, "oxygen is 1.01 as a fraction"), (3, -2000.1, "redox"),
        (3, 2000.1, "redox is 2000.1 mV"), (3, float("inf"), "redox"),
        (0, float("nan"), "pH is nan"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(place, value, named):
    values = [7.0, 300.0, 0.2, 0.0]
    values[place] = value

    with pytest.raises(DataError, match=f"f.npz: {named}"):
        check_environment(values, "f.npz")


def test_four_entries_are_asked_for():
    with pytest.raises(DataError, match="has 3 entries; give 4: pH, temperature, oxygen, redox"):
        check_environment((7.0, 300.0, 0.2), "f.npz")
