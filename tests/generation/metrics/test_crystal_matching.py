import numpy as np
import pytest

from assay.generation.catalog import CRYSTAL_PROTOCOLS
from assay.generation.metrics.crystal_matching import distances, firsts, known
from assay.generation.metrics.crystal_novelty import Matcher
from assay.generation.metrics.protocol import Scoring
from assay.statistics.intervals import wilson
from tests.generation.metrics import crystal_samples as c

NOTHING = c.TEXTBOOK.select([])
ROCK_SALT_OF_CAESIUM = c.crystal(c.fcc(7.0), "Cs Cl", [c.ORIGIN, c.HALF])
UNBALANCED = c.crystal(c.fcc(5.6), "Na Cl Cl", [c.ORIGIN, c.HALF, c.QUARTER])
LARGER = c.remade(c.ROCK_SALT, lattices=c.ROCK_SALT.lattices * 1.2)
"""The same to a matcher that scales volumes."""


def scored(samples, reference=None, **options):
    estimates = Matcher().evaluate(Scoring(samples, reference, **options))
    return {name.removeprefix("matcher/"): estimate for name, estimate in estimates.items()}


# --- matching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [*c.SAME.values(), lambda x, _: c.doubled(x)], ids=[*c.SAME, "doubled"]
)
def test_a_crystal_matches_itself_however_it_is_written(change):
    changed = change(c.TEXTBOOK, np.random.default_rng(0))
    assert distances(changed, c.TEXTBOOK) == pytest.approx(np.zeros(len(c.TEXTBOOK)), abs=1e-4)
    assert known(changed, c.TEXTBOOK).all()
    assert firsts(c.pack(c.TEXTBOOK, changed)).tolist() == [True] * 12 + [False] * 12


def test_distances_are_relative_to_the_volume_of_an_atom():
    """One of two atoms moved by 0.3 Å; the best superposition shares the shift: 0.15 Å each."""
    shift = np.array([0.3, 0, 0]) @ np.linalg.inv(c.ROCK_SALT.lattices[0])
    moved = c.remade(c.ROCK_SALT, c.ROCK_SALT.frac_coords + np.array([[0, 0, 0], shift]))
    unit = (5.640**3 / 8) ** (1 / 3)
    assert distances(moved, c.ROCK_SALT) == pytest.approx([0.15 / unit], abs=1e-4)


def test_what_differs_does_not_match():
    one = c.pack(c.ROCK_SALT, c.CAESIUM_CHLORIDE, c.DIAMOND)
    other = c.pack(c.ZINC_BLENDE, ROCK_SALT_OF_CAESIUM, c.GRAPHITE)
    assert np.isnan(distances(one, other)).all()
    assert not known(one, other).any()


def test_volumes_are_scaled():
    assert distances(LARGER, c.ROCK_SALT) == pytest.approx([0.0], abs=1e-5)


def test_firsts_are_the_first_of_each_kind_in_order():
    crystals = c.pack(
        c.ROCK_SALT,
        c.CAESIUM_CHLORIDE,
        LARGER,
        ROCK_SALT_OF_CAESIUM,
        c.CAESIUM_CHLORIDE,
        c.ROCK_SALT,
    )
    assert firsts(crystals).tolist() == [True, True, False, True, False, False]


def test_the_tolerance_is_wide():
    """Zinc blende is rock salt with one atom moved by a quarter of the body's diagonal: 0.43."""
    tetrahedral = c.crystal(c.fcc(5.640), "Na Cl", [c.ORIGIN, c.QUARTER])
    assert distances(tetrahedral, c.ROCK_SALT) == pytest.approx([3**0.5 / 4], abs=1e-3)


def test_nothing_matches_nothing():
    assert firsts(NOTHING).shape == (0,)
    assert distances(NOTHING, NOTHING).shape == (0,)
    assert known(c.TEXTBOOK, NOTHING).tolist() == [False] * 12
    assert known(NOTHING, c.TEXTBOOK).shape == (0,)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_cannot_be_reduced_matches_nothing():
    flat = c.remade(c.ROCK_SALT, lattices=c.ROCK_SALT.lattices * [1, 1, 0])
    assert np.isnan(distances(flat, c.ROCK_SALT)).all()
    assert known(flat, c.ROCK_SALT).tolist() == [False]
    assert firsts(c.pack(c.ROCK_SALT, flat, flat)).tolist() == [True, True, True]


@pytest.mark.slow
def test_several_processes_give_the_same():
    crystals = c.random_crystals(np.random.default_rng(0), 450, largest=2)
    moved = c.disturbed(crystals, 0.05, np.random.default_rng(1))
    expected = distances(moved, crystals)
    assert (expected > 0).any()
    assert np.array_equal(distances(moved, crystals, processes=2), expected, equal_nan=True)
    assert np.array_equal(known(moved, crystals, processes=2), known(moved, crystals))


# --- the protocol -------------------------------------------------------------------------------


def test_the_catalog_knows_it():
    assert CRYSTAL_PROTOCOLS["matcher"] == "assay.generation.metrics.crystal_novelty:Matcher"


def test_shares_worked_out_by_hand():
    """Of 8 samples one is rejected and one not valid; 4 of 6 are distinct, and 3 of them new."""
    samples = c.pack(
        c.ROCK_SALT, LARGER, c.DIAMOND, UNBALANCED, c.GRAPHITE, c.RUTILE, c.doubled(c.RUTILE)
    )
    train = c.pack(c.turned(c.GRAPHITE, np.random.default_rng(0)), c.ZINC_BLENDE)
    found = scored(samples, c.Held(train, NOTHING, NOTHING), rejected=1)
    counts = {name: (round(e.value * e.n), e.n) for name, e in found.items()}
    assert counts == {
        "uniqueness": (4, 6),
        "valid_unique": (4, 8),
        "novelty": (3, 4),
        "valid_unique_novel": (3, 8),
    }
    assert (found["novelty"].low, found["novelty"].high) == wilson(3, 4)


def test_without_a_reference_there_is_no_novelty():
    assert scored(c.TEXTBOOK).keys() == {"uniqueness", "valid_unique"}


def test_a_collapsed_model_is_found_out():
    found = scored(c.pack(*[c.ROCK_SALT] * 10), c.Held(c.ROCK_SALT, NOTHING, NOTHING))
    assert found["uniqueness"].value == 0.1
    assert found["novelty"].value == 0


def test_of_nothing_valid_nothing_is_known():
    found = scored(UNBALANCED, c.Held(c.TEXTBOOK, NOTHING, NOTHING), rejected=3)
    assert {estimate.value for estimate in found.values()} == {0.0}
    assert [(e.low, e.high, e.n) for e in (found["uniqueness"], found["novelty"])] == [
        (0, 1, 0)
    ] * 2


def test_the_order_of_samples_does_not_matter():
    generator = np.random.default_rng(3)
    samples = c.pack(c.TEXTBOOK, c.other_cell(c.TEXTBOOK, generator), UNBALANCED)
    reference = c.Held(c.TEXTBOOK.select([3, 4]), NOTHING, NOTHING)
    expected = scored(samples, reference)
    assert scored(samples.select(generator.permutation(len(samples))), reference) == expected
