import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import MachineError
from assay.generation.metrics import crystal_fingerprints
from assay.generation.metrics.crystal_fingerprints import (
    COMPOSITION_SIZE,
    STRUCTURE_SIZE,
    composition_fingerprints,
    structure_fingerprints,
)
from assay.generation.metrics.crystal_order import PARAMETERS, order_parameters
from assay.generation.metrics.crystal_sites import shells
from tests.chemistry.geometries import random_rotation
from tests.generation.metrics import crystal_samples as c

MOTIFS = (
    (2, 4, [(0, 0, 1), (0, 0, -1)], "linear"),
    (2, 0, [(0, 0, 1), (1, 0, 0)], "L-shaped"),
    (3, 0, [(1, 0, 0), (-0.5, 0.75**0.5, 0), (-0.5, -(0.75**0.5), 0)], "trigonal planar"),
    (4, 0, [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)], "square"),
    (4, 1, [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], "tetrahedral"),
    (5, 1, [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1)], "square pyramidal"),
    (6, 1, [s * e for e in np.eye(3) for s in (1, -1)], "octahedral"),
    (8, 0, [(x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)], "body-centred"),
    (12, 0, [np.roll((0, a, b), k) for a in (1, -1) for b in (1, -1) for k in range(3)], "fcc"),
)  # fmt: skip


def doubled(crystals, generator):
    return c.doubled(crystals, int(generator.integers(3)))


def unit(vectors):
    found = np.array(vectors, dtype=float)
    return (found / np.linalg.norm(found, axis=1, keepdims=True))[None]


# --- order parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "place", "vectors", "name"), MOTIFS, ids=[m[3] for m in MOTIFS])
def test_a_perfect_motif_scores_the_most(size, place, vectors, name):
    values = order_parameters(unit(vectors))[0]
    assert len(values) == len(PARAMETERS[size])
    assert values[place] == pytest.approx(
        1.0, abs={"body-centred": 0.03, "fcc": 0.01}.get(name, 1e-6)
    )
    assert values[place] == values[: 1 if size in (8, 12) else None].max()


@pytest.mark.parametrize("size", sorted(PARAMETERS))
def test_shells_are_judged_alike_together_and_alone(size):
    vectors = np.random.default_rng(size).normal(size=(5, size, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    alone = np.concatenate([order_parameters(shell[None]) for shell in vectors])
    assert order_parameters(vectors) == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("size", sorted(PARAMETERS))
def test_a_shell_may_be_turned(size):
    generator = np.random.default_rng(size)
    vectors = generator.normal(size=(20, size, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    turned = vectors @ random_rotation(generator)
    assert order_parameters(turned) == pytest.approx(order_parameters(vectors), abs=1e-5)


def test_steinhardt_parameters_of_a_cuboctahedron():
    """q4 = 0.1909 and q6 = 0.5745 (Steinhardt et al. 1983, table I); q2 is 0 by symmetry."""
    *_, q2, q4, q6 = order_parameters(unit(MOTIFS[-1][2]))[0]
    assert (q2, q4, q6) == pytest.approx((0, 0.19094, 0.57452), abs=1e-5)


# --- coordination -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crystal", "sizes"),
    [
        (c.COPPER, [12]),
        (c.POLONIUM, [6]),
        (c.DIAMOND, [4, 4]),
        (c.GRAPHITE, [3, 3, 3, 3]),
        (c.ROCK_SALT, [6, 6]),
        (c.CAESIUM_CHLORIDE, [8, 8]),
        (c.ZINC_BLENDE, [4, 4]),
        (c.FLUORITE, [8, 4, 4]),
        (c.RUTILE, [6, 6, 3, 3, 3, 3]),
    ],
)
def test_the_likeliest_coordination_is_the_textbooks(crystal, sizes):
    found, failed = shells(crystal)
    assert not failed.any()
    for site, size in enumerate(sizes):
        of_site = found.site == site
        assert found.size[of_site][found.probability[of_site].argmax()] == size


def test_probabilities_of_shells_sum_to_one_at_most():
    found, _ = shells(c.pack(c.TEXTBOOK, c.random_crystals(np.random.default_rng(0), 30)))
    totals = np.bincount(found.site, found.probability)
    assert totals.max() <= 1 + 1e-12
    assert (found.probability >= 0).all()
    assert np.linalg.norm(found.directions, axis=1) == pytest.approx(1.0)


# --- fingerprints of structures -----------------------------------------------------------------


def test_the_fingerprint_of_rock_salt_is_octahedral():
    (found,) = structure_fingerprints(c.ROCK_SALT)
    assert len(found) == STRUCTURE_SIZE == 61
    expected = {22: 1.0, 24: 1.0}  # six neighbours, octahedral, at both sites
    for place in np.flatnonzero(found > 0.9):
        assert found[place] == pytest.approx(expected.pop(int(place)), abs=1e-3)
    assert not expected


@pytest.mark.parametrize("change", c.SAME.values(), ids=c.SAME.keys())
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_what_leaves_a_crystal_as_it_is_leaves_its_fingerprint(change, seed):
    """Up to float32, and to weights of neighbours that are rounded to three decimals."""
    generator = np.random.default_rng(seed)
    crystals = c.random_crystals(generator, 12)
    expected, found = map(structure_fingerprints, (crystals, change(crystals, generator)))
    assert np.abs(found - expected).max() < 5e-3
    assert np.median(np.abs(found - expected).max(1)) < 1e-4


@pytest.mark.parametrize("change", [*c.SAME.values(), doubled], ids=[*c.SAME, "doubled"])
def test_symmetric_crystals_keep_theirs_within_the_protocol_s_own_noise(change):
    """Whether opposite neighbours are exactly opposite decides whether they count (1e-12)."""
    found = structure_fingerprints(change(c.TEXTBOOK, np.random.default_rng(0)))
    assert np.linalg.norm(found - structure_fingerprints(c.TEXTBOOK), axis=1).max() < 0.2


def test_crystals_are_fingerprinted_alike_together_and_alone():
    crystals = c.random_crystals(np.random.default_rng(2), 12)
    alone = [structure_fingerprints(crystals.select([k]))[0] for k in range(len(crystals))]
    assert np.array_equal(structure_fingerprints(crystals), np.stack(alone))


def test_what_cannot_be_fingerprinted_is_nan_and_harms_no_other():
    coincident = c.crystal(np.eye(3) * 5, "C C", [c.QUARTER, c.QUARTER])
    flat = c.crystal(np.diag([5, 5, 0]), "C", [c.ORIGIN])
    not_finite = c.remade(c.COPPER)
    not_finite.frac_coords[0, 0] = np.nan
    no_radius = c.crystal(c.fcc(5), "Og", [c.ORIGIN])
    empty = c.remade(c.crystal(np.eye(3), "", []))
    bad = (coincident, flat, not_finite, no_radius, empty)
    found = structure_fingerprints(c.pack(c.COPPER, *bad, c.ROCK_SALT))
    assert np.isnan(found).all(1).tolist() == [False, *[True] * len(bad), False]
    assert not np.isnan(found[[0, -1]]).any()
    assert np.isnan(structure_fingerprints(c.pack(*bad))).all()


def test_open_and_long_cells_are_searched_further():
    chain = c.crystal(np.diag([3.0, 3.0, 200.0]), "C C", [(0, 0, 0.1), (0, 0, 0.6)])
    far = c.crystal(np.eye(3) * 60, "He", [c.ORIGIN])
    assert not np.isnan(structure_fingerprints(c.pack(chain, far))).any()


@pytest.mark.slow
def test_several_processes_give_the_same():
    crystals = c.random_crystals(np.random.default_rng(3), 850, largest=2)
    expected = structure_fingerprints(crystals)
    assert np.array_equal(structure_fingerprints(crystals, processes=2), expected)


# --- fingerprints of compositions ---------------------------------------------------------------


def test_a_composition_has_no_size_and_no_order():
    found = composition_fingerprints(c.pack(c.RUTILE, c.doubled(c.RUTILE), c.ROCK_SALT))
    assert found.shape == (3, COMPOSITION_SIZE)
    assert np.array_equal(found[0], found[1])
    generator = np.random.default_rng(0)
    crystals = c.random_crystals(generator, 40)
    changed = composition_fingerprints(c.shuffled(crystals, generator))
    assert np.array_equal(changed, composition_fingerprints(crystals))


def test_statistics_of_atomic_numbers_of_rutile():
    """Ti O2: minimum 8, maximum 22, range 14, mean 38/3, mean deviation 56/9, mode 8."""
    means, deviations = crystal_fingerprints._scaler()
    (found,) = composition_fingerprints(c.RUTILE)
    raw = found[:6] * deviations[0] + means[0]
    assert raw == pytest.approx([8, 22, 14, 38 / 3, 56 / 9, 8])


def test_the_mode_of_equals_is_the_least():
    means, deviations = crystal_fingerprints._scaler()
    (found,) = composition_fingerprints(c.ROCK_SALT)
    assert found[5] * deviations[0, 5] + means[0, 5] == pytest.approx(11)


def test_what_is_not_known_is_the_mean_of_others():
    """Helium has no electronegativity in Magpie: column 7."""
    found = composition_fingerprints(c.crystal(c.fcc(4), "He", [c.ORIGIN])).reshape(22, 6)
    assert (found[7] == 0).all()
    assert (found[0] != 0).all()


def test_another_table_is_refused(monkeypatch):
    monkeypatch.setattr(crystal_fingerprints, "_TABLES", "0" * 16)
    crystal_fingerprints._magpie.cache_clear()
    try:
        with pytest.raises(MachineError, match=r"Magpie.*pip install smact==4\.0\.2"):
            crystal_fingerprints._magpie()
    finally:
        crystal_fingerprints._magpie.cache_clear()


def test_nothing_has_no_fingerprint():
    nothing = c.TEXTBOOK.select([])
    assert structure_fingerprints(nothing).shape == (0, STRUCTURE_SIZE)
    assert composition_fingerprints(nothing).shape == (0, COMPOSITION_SIZE)
