import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import MachineError
from assay.generation.catalog import CRYSTAL_PROTOCOLS
from assay.generation.metrics import cdvae, protocol
from assay.generation.metrics.cdvae import CDVAE, densities, element_counts, properties
from assay.generation.metrics.crystal_coverage import Cutoffs, Fingerprints, coverage, near
from assay.generation.metrics.protocol import Scoring
from assay.statistics.intervals import wilson
from tests.generation.metrics import crystal_samples as c

TOO_NEAR = c.crystal(np.eye(3) * 4, "Na Cl", [c.ORIGIN, (0.1, 0, 0)])
UNBALANCED = c.crystal(c.fcc(5.6), "Na Cl Cl", [c.ORIGIN, c.HALF, c.QUARTER])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path


def scored(samples, reference=None, **options):
    estimates = CDVAE().evaluate(Scoring(samples, reference, **options))
    assert all(name.startswith("cdvae/") for name in estimates)
    assert all(e.low <= e.value <= e.high for e in estimates.values())
    return {name.removeprefix("cdvae/"): estimate for name, estimate in estimates.items()}


def reference(test=c.TEXTBOOK, name="held"):
    return c.Held(c.TEXTBOOK.select([0]), c.TEXTBOOK.select([1]), test, name)


def fingerprints(structure, composition=None):
    """Points on a line, for structure and for composition."""
    composition = structure if composition is None else composition
    return Fingerprints(
        *(np.array(x, dtype=float).reshape(-1, 1) for x in (structure, composition))
    )


# --- the protocol -------------------------------------------------------------------------------


def test_the_catalog_knows_it():
    assert CRYSTAL_PROTOCOLS["cdvae"] == "assay.generation.metrics.cdvae:CDVAE"


def test_each_validity_is_a_share_of_all_samples():
    found = scored(c.pack(c.TEXTBOOK, TOO_NEAR, UNBALANCED), rejected=2)
    values = {name: round(estimate.value * 16) for name, estimate in found.items()}
    assert values == {"structural_validity": 13, "compositional_validity": 13, "validity": 12}
    assert {estimate.n for estimate in found.values()} == {16}
    assert (found["validity"].low, found["validity"].high) == wilson(12, 16)
    assert {(e.version, e.better) for e in found.values()} == {(cdvae.VERSION, "higher")}


def test_the_data_themselves_are_covered_and_at_no_distance():
    found = scored(c.TEXTBOOK, reference())
    assert {name: estimate.value for name, estimate in found.items()} == {
        "structural_validity": 1, "compositional_validity": 1, "validity": 1,
        "cov_recall": 1, "cov_precision": 1, "wasserstein_density": 0, "wasserstein_elements": 0,
    }  # fmt: skip
    assert found["cov_recall"].low < 1
    assert {found[f"wasserstein_{x}"].better for x in ("density", "elements")} == {"lower"}


def test_one_crystal_covers_no_other():
    found = scored(c.ROCK_SALT, reference(c.pack(c.ROCK_SALT, c.IRON)))
    assert found["cov_recall"].value == 0.5
    assert found["cov_precision"].value == 1


def test_cutoffs_are_those_of_the_reference():
    """A perovskite whose atoms moved by 2 % of the cell is 0.31 from what it was."""
    stretched = c.disturbed(c.PEROVSKITE, 0.02, np.random.default_rng(0))
    wide = scored(stretched, reference(c.PEROVSKITE))
    strict = scored(stretched, reference(c.PEROVSKITE, "perov_5"))
    assert (wide["cov_recall"].value, strict["cov_recall"].value) == (1, 0)


def test_rejected_samples_are_not_covered():
    found = scored(c.TEXTBOOK, reference(), rejected=12)
    assert found["cov_precision"].value == 0.5
    assert found["cov_recall"].value == 1


def test_invalid_samples_count_for_coverage_but_not_for_properties():
    found = scored(c.pack(TOO_NEAR, c.ROCK_SALT, c.ROCK_SALT), reference(c.ROCK_SALT))
    assert found["cov_recall"].value == 1
    assert found["wasserstein_density"].n == 2
    assert found["wasserstein_density"].value == 0


def test_of_one_valid_sample_or_none_there_is_no_spread_to_tell_an_interval_from():
    for samples in (UNBALANCED, c.pack(TOO_NEAR, c.ROCK_SALT)):
        found = scored(samples, reference())
        assert "wasserstein_density" not in found
    assert found["validity"].value == 0.5


@pytest.mark.parametrize("rejected", [0, 3])
def test_no_sample_at_all_is_a_score_of_nothing(rejected):
    found = scored(c.TEXTBOOK.select([]), reference(), rejected=rejected)
    assert {estimate.value for estimate in found.values()} == {0.0}
    assert found["validity"].n == rejected
    assert found["cov_recall"].n == len(c.TEXTBOOK)


def test_fingerprints_of_a_reference_are_computed_once(cache, monkeypatch):
    expected = scored(c.TEXTBOOK, reference())
    (file,) = cache.glob("*.npz")
    assert file.name.startswith(f"cdvae-{cdvae.VERSION}-fingerprints-{reference().digest[:16]}")
    computed = []
    original = cdvae.structure_fingerprints
    monkeypatch.setattr(
        cdvae, "structure_fingerprints", lambda *given: computed.append(given) or original(*given)
    )
    assert scored(c.TEXTBOOK, reference()) == expected
    assert len(computed) == 1  # of the samples


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(protocol, "find_spec", lambda name: None if name == "smact" else name)
    with pytest.raises(MachineError, match=r"smact is not installed.*assay-bench\[crystals\]"):
        CDVAE().evaluate(Scoring(c.TEXTBOOK))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_the_order_of_samples_does_not_matter(seed, tmp_path_factory):
    generator = np.random.default_rng(seed)
    crystals = c.pack(c.TEXTBOOK, c.random_crystals(generator, 5), TOO_NEAR)
    order = generator.permutation(len(crystals))
    one, other = scored(crystals, reference()), scored(crystals.select(order), reference())
    for name, estimate in one.items():
        assert other[name].value == pytest.approx(estimate.value, abs=1e-12)
        assert (other[name].low, other[name].high) == pytest.approx((estimate.low, estimate.high))


@pytest.mark.parametrize("change", c.SAME.values(), ids=c.SAME.keys())
def test_what_leaves_crystals_as_they_are_leaves_the_scores(change):
    generator = np.random.default_rng(1)
    crystals = c.pack(c.disturbed(c.TEXTBOOK, 0.02, generator), TOO_NEAR)
    one, other = scored(crystals, reference()), scored(change(crystals, generator), reference())
    for name, estimate in one.items():
        assert other[name].value == pytest.approx(estimate.value, abs=1e-5)


# --- coverage -----------------------------------------------------------------------------------


def test_coverage_worked_out_by_hand():
    """Samples at 0, 1, 10; test crystals at 0.4, 0.5, 1.4, 20; near is up to 0.5."""
    found = coverage(fingerprints([0, 1, 10]), fingerprints([0.4, 0.5, 1.4, 20]), Cutoffs(0.5, 0.5))
    assert found.samples.tolist() == [True, True, False]
    assert found.test.tolist() == [True, True, True, False]
    assert found.lost.tolist() == [1, 1, 0]  # 0.5 is covered by two


def test_structure_and_composition_may_be_near_to_different_crystals():
    found = coverage(fingerprints([0, 9, 9], [9, 0, 0]), fingerprints([0], [0]), Cutoffs(0.5, 0.5))
    assert found.test.tolist() == [True]
    assert found.samples.tolist() == [False, False, False]
    assert found.lost.tolist() == [1, 0, 0]  # the two others stand in for each other


def test_a_sample_that_alone_covers_both_ways_loses_a_crystal_once():
    found = coverage(fingerprints([0, 5]), fingerprints([0.1]), Cutoffs(0.5, 0.5))
    assert found.lost.tolist() == [1, 0]


def test_crystals_without_a_fingerprint_cover_nothing():
    found = coverage(
        fingerprints([np.nan, 0], [0, 0]), fingerprints([0, np.nan], [0, 0]), Cutoffs(0.5, 0.5)
    )
    assert found.samples.tolist() == [False, True]
    assert found.test.tolist() == [True]
    assert found.lost.tolist() == [0, 1]


def test_near_is_found_across_chunks(monkeypatch):
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(31, 3)), generator.normal(size=(17, 3))
    distances = np.linalg.norm(one[:, None] - other, axis=-1)
    monkeypatch.setattr("assay.generation.metrics.crystal_coverage._DISTANCES_AT_ONCE", 40)
    found = near(one, other, 0.8)
    assert np.array_equal(found.has_M, (distances <= 0.8).any(1))
    assert np.array_equal(found.count_T, (distances <= 0.8).sum(0))
    assert np.array_equal(found.first_T, (distances <= 0.8).argmax(0))


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_interval_of_recall_covers_what_other_samples_would_score(spread):
    """200 sets of 60 samples from one distribution, each with its own interval."""
    generator = np.random.default_rng(7)
    test = fingerprints(generator.normal(size=400))
    founds = []
    for _ in range(200):
        points = fingerprints(generator.normal(scale=spread, size=60))
        founds.append(cdvae._recall(coverage(points, test, Cutoffs(0.05, 0.05)), 0, 0))
    truth = np.mean([estimate.value for estimate in founds])
    held = sum(estimate.low <= truth <= estimate.high for estimate in founds)
    assert held >= 0.93 * len(founds)


# --- properties ---------------------------------------------------------------------------------


def test_densities_are_the_textbooks():
    """In g/cm³: copper 8.93, iron 7.88, diamond 3.51, rock salt 2.16, rutile 4.25."""
    found = densities(c.pack(c.COPPER, c.IRON, c.DIAMOND, c.ROCK_SALT, c.RUTILE))
    assert found == pytest.approx([8.93, 7.88, 3.51, 2.16, 4.25], abs=0.01)


def test_elements_are_counted_once_each():
    crystals = c.pack(c.COPPER, c.ROCK_SALT, c.doubled(c.PEROVSKITE), c.DIAMOND)
    assert element_counts(crystals).tolist() == [1, 2, 3, 1]


def test_distances_of_properties_worked_out_by_hand():
    """Half of the elements are off by one, and so is every density by 2.16 or less."""
    found = properties(c.pack(c.COPPER, c.ROCK_SALT), c.pack(c.COPPER, c.COPPER))
    assert found["wasserstein_elements"].value == pytest.approx(0.5)
    expected = (densities(c.COPPER)[0] - densities(c.ROCK_SALT)[0]) / 2
    assert found["wasserstein_density"].value == pytest.approx(expected)


def test_a_thousand_valid_samples_are_drawn():
    many = c.pack(*[c.COPPER, c.ROCK_SALT] * 600)
    one, again, other = (properties(many, c.TEXTBOOK, seed=seed) for seed in (0, 0, 1))
    assert one["wasserstein_density"].n == cdvae.SUBSAMPLE == 1000
    assert one == again
    assert one["wasserstein_density"].value != other["wasserstein_density"].value
