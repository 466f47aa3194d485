"""Histograms of samples and of real data, counted by hand."""

import numpy as np
import pytest

from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.generation.distributions import Distributions, distributions
from assay.generation.domain import CrystalDomain, MoleculeDomain
from assay.result import read_settings, write_json
from assay.store import sets
from tests.report.synthetic import METHANE, SALT, WATER, crystals


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_counts_lie_in_bins_of_whole_numbers_that_the_reference_decides():
    found = distributions(
        {"atoms": column(2, 5, 9, 9)}, {"atoms": column(3, 3, 5)}, "mini, test split"
    )

    (atoms,) = found.histograms
    assert (atoms.title, found.reference) == ("Number of atoms", "mini, test split")
    assert atoms.edges == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert atoms.reference.within == [0, 2, 0, 1, 0]
    assert atoms.samples.within == [1, 0, 0, 1, 0]
    assert (atoms.samples.below, atoms.samples.above, atoms.samples.known) == (0, 2, 4)
    assert atoms.samples.quartiles == (4.25, 7.0, 9.0)


def test_many_whole_numbers_share_a_bin():
    (atoms,) = distributions({"atoms": column(9)}, {"atoms": column(1, 101)}, "").histograms

    # From 1 to 101 and a quarter of the span beyond: 126 numbers in at most 48 bins.
    assert np.diff(atoms.edges).tolist() == [3.0] * 42
    assert (atoms.edges[0], atoms.edges[-1]) == (0.5, 126.5)


def test_what_lies_outside_and_what_is_not_known_is_counted_apart():
    (logp,) = distributions(
        {"logp": column(-2, 0, 5, np.nan, np.inf)}, {"logp": column(0, 1, 2, 3)}, ""
    ).histograms

    assert (logp.edges[0], logp.edges[-1], len(logp.edges)) == (-0.75, 3.75, 49)
    assert (logp.samples.below, logp.samples.above, logp.samples.unknown) == (1, 1, 2)
    assert [k for k, count in enumerate(logp.samples.within) if count] == [8]
    assert sum(logp.reference.within) == logp.reference.known == 4
    assert logp.samples.quartiles == (-1.0, 0.0, 2.5)


def test_a_property_that_no_real_record_has_is_left_out():
    unknown = column(np.nan, np.nan)

    assert distributions({"logp": column(1.0)}, {"logp": unknown}, "").histograms == []


def test_nothing_known_has_no_quartiles():
    (logp,) = distributions({"logp": column(np.nan)}, {"logp": column(1.0)}, "").histograms

    assert (logp.samples.known, logp.samples.unknown, logp.samples.quartiles) == (0, 1, None)


def test_a_file_whose_counts_do_not_fit_is_refused(tmp_path):
    found = distributions({"logp": column(1.0)}, {"logp": column(1.0)}, "").model_dump(mode="json")
    found["histograms"][0]["edges"].pop()
    write_json(tmp_path / "distributions.json", found)

    with pytest.raises(DataError, match=r"distributions\.json.*48 edges"):
        read_settings(Distributions, tmp_path / "distributions.json")


def test_molecules_have_weights_and_the_valid_ones_logp(mini):
    nowhere = np.full((1, 3), np.inf, dtype=np.float32)
    systems = Molecules(
        np.concatenate([METHANE, WATER, nowhere]),
        np.array([6, 1, 1, 1, 1, 8, 1, 1, 6], dtype=np.uint8),
        np.array([5, 3, 1]),
    )

    found = MoleculeDomain(sets.open_set("mini"), 1.0).described(systems)

    assert found["atoms"].tolist() == [5, 3, 1]
    assert found["weight"] == pytest.approx([16.043, 18.015, 12.011], abs=1e-3)
    # Crippen's contributions: a carbon of methane's kind with its hydrogens; water's oxygen.
    assert found["logp"][:2] == pytest.approx([0.6361, -0.8247], abs=1e-4)
    assert np.isnan(found["logp"][2])


def test_crystals_have_densities_unless_their_cell_is_flat(mini_crystals):
    arrays = crystals(1)
    flat = SALT * [1, 1, 0]
    systems = Crystals(
        np.tile(arrays["frac_coords"], (2, 1)), np.tile(arrays["numbers"], 2), np.array([8, 8]),
        np.array([SALT, flat], dtype=np.float32),
    )  # fmt: skip

    found = CrystalDomain(sets.open_set("mini_crystals"), 1.0).described(systems)

    # Four formula units of 58.443 g/mol in 5.64 cubed Å3; a mole is 0.602214e24.
    assert found["density"][0] == pytest.approx(4 * 58.443 / (5.64**3 * 0.602214), rel=1e-3)
    assert not np.isfinite(found["density"][1])
    assert (found["atoms"].tolist(), found["elements"].tolist()) == ([8, 8], [2, 2])
