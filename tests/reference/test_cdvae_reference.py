"""CDVAE's metrics written down a second time, slowly, with pymatgen's and smact's own objects.

They share no code with `assay.generation.metrics`, follow the public definition structure by
structure, and must agree. `cdvae_matminer.json` holds what matminer makes of the same crystals.
"""

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import smact
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.core.local_env import CN_OPT_PARAMS, CrystalNN, LocalStructOrderParams
from pymatgen.core.structure_matcher import StructureMatcher
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from assay.chemistry.elements import SYMBOLS
from assay.generation.metrics import cdvae, csp
from assay.generation.metrics.crystal_coverage import CUTOFFS, coverage
from assay.generation.metrics.crystal_fingerprints import (
    composition_fingerprints,
    structure_fingerprints,
)
from assay.generation.metrics.crystal_matching import distances, firsts, known
from assay.generation.metrics.crystal_validity import is_smact_valid, structurally_valid
from tests.generation.metrics import crystal_samples as c

MATMINER = json.loads(Path(__file__).with_name("cdvae_matminer.json").read_text())
SCALER = json.loads((Path(cdvae.__file__).parent / "cdvae_scaler.json").read_text())

MOTIFS = {
    1: ["sgl_bd"],
    2: ["L-shaped", "water-like", "bent 120 degrees", "bent 150 degrees", "linear"],
    3: ["trigonal planar", "trigonal non-coplanar", "T-shaped"],
    4: ["square co-planar", "tetrahedral", "rectangular see-saw-like", "see-saw-like",
        "trigonal pyramidal"],
    5: ["pentagonal planar", "square pyramidal", "trigonal bipyramidal"],
    6: ["hexagonal planar", "octahedral", "pentagonal pyramidal"],
    7: ["hexagonal pyramidal", "pentagonal bipyramidal"],
    8: ["body-centered cubic", "hexagonal bipyramidal"],
    9: ["q2", "q4", "q6"], 10: ["q2", "q4", "q6"], 11: ["q2", "q4", "q6"],
    12: ["cuboctahedral", "q2", "q4", "q6"],
}  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def crystals():
    """Textbook crystals, the same disturbed, and atoms anywhere."""
    generator = np.random.default_rng(0)
    disturbed = c.disturbed(c.TEXTBOOK, 0.03, generator)
    return c.pack(c.TEXTBOOK, disturbed, c.random_crystals(generator, 8))


def structures(packed):
    found, offsets = [], packed.offsets
    for k in range(len(packed)):
        rows = slice(offsets[k], offsets[k + 1])
        lattice = Lattice(packed.lattices[k].astype(float))
        found.append(
            Structure(lattice, packed.numbers[rows], packed.frac_coords[rows].astype(float))
        )
    return found


# --- validity -----------------------------------------------------------------------------------


def is_structurally_valid(structure):
    """The public test, and an atom's own images."""
    shortest = min(
        (
            structure.get_distance(0, 0, jimage=image)
            for image in itertools.product((-1, 0, 1), repeat=3)
            if any(image)
        ),
    )
    apart = structure.distance_matrix + np.diag(np.full(len(structure), np.inf))
    return bool(min(apart.min(), shortest) >= 0.5 and structure.volume >= 0.1)


@pytest.mark.parametrize("density", [0.3, 0.8, 1.5])
def test_structural_validity_agrees(density):
    packed = c.random_crystals(np.random.default_rng(int(density * 10)), 60, density)
    expected = [is_structurally_valid(structure) for structure in structures(packed)]
    assert structurally_valid(packed).tolist() == expected
    assert 5 < sum(expected) <= 60


def in_order(states, negativities):
    """The test of electronegativities as smact 2.2.1 has it, a TypeError of None and all."""
    pairs = itertools.combinations(zip(states, negativities, strict=True), 2)
    for (state, negativity), (other, other_negativity) in pairs:
        if state > 0 > other and negativity >= other_negativity:
            return False
        if state < 0 < other and negativity <= other_negativity:
            return False
        if negativity is None or other_negativity is None:
            return False
    return True


def smact_validity(composition):
    """By enumeration; smact 4 with the two values of 2.2.1 that CDVAE pins."""
    symbols = sorted(composition, key=SYMBOLS.index)
    divisor = math.gcd(*composition.values())
    counts = [composition[symbol] // divisor for symbol in symbols]
    elements = [smact.Element(symbol) for symbol in symbols]
    states = {element.symbol: element.oxidation_states_smact14 or [] for element in elements}
    states["Ir"] = [-2, -1, 1, 2, 3, 4, 5, 6, 7, 8]
    negativities = [0.33 if e.symbol == "Zr" else e.pauling_eneg for e in elements]
    if len(symbols) == 1 or all(symbol in smact.metals for symbol in symbols):
        return True
    for chosen in itertools.product(*(states[symbol] for symbol in symbols)):
        if sum(state * count for state, count in zip(chosen, counts, strict=True)) == 0:
            try:
                allowed = in_order(chosen, negativities)
            except TypeError:
                allowed = True
            if allowed:
                return True
    return False


def test_compositional_validity_agrees_on_random_compositions():
    generator = np.random.default_rng(0)
    judged = []
    for _ in range(500):
        numbers = np.sort(generator.choice(np.arange(1, 104), generator.integers(1, 6), False))
        counts = generator.integers(1, 7, len(numbers))
        counts //= np.gcd.reduce(counts)
        composition = {SYMBOLS[z]: int(n) for z, n in zip(numbers, counts, strict=True)}
        judged.append(smact_validity(composition))
        assert is_smact_valid(tuple(numbers.tolist()), tuple(counts.tolist())) is judged[-1]
    assert 200 < sum(judged) < 400


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("Ir3P2", True), ("ScIrP", True), ("Pm2MgO4", True), ("Pm2MgS4", False), ("SiZr", True)],
)
def test_compositions_that_smact_2_2_1_itself_judged(formula, expected):
    counts = {e.Z: int(n) for e, n in Composition(formula).items()}
    numbers = tuple(sorted(counts))
    assert is_smact_valid(numbers, tuple(counts[z] for z in numbers)) is expected


# --- fingerprints -------------------------------------------------------------------------------


def order_parameter(motif, size, sites):
    kind, *parameters = CN_OPT_PARAMS.get(size, {}).get(motif, [motif])
    parameter = LocalStructOrderParams([kind], parameters=[parameters[0] if parameters else None])
    neighbours = list(range(1, len(sites)))
    return parameter.get_order_parameters(sites, 0, indices_neighs=neighbours)[0] or 0


def site_fingerprint(structure, site):
    """matminer's CrystalNNFingerprint with the preset ops, in pymatgen's terms."""
    data = CrystalNN().get_nn_data(structure, site)
    found = []
    for size in range(1, 25):
        weight = data.cn_weights.get(size, 0)
        sites = [structure[site], *(entry["site"] for entry in data.cn_nninfo.get(size, []))]
        found.append(weight)
        found += [
            weight * order_parameter(motif, size, sites) if weight else 0
            for motif in MOTIFS.get(size, [])
        ]
    return found


def plain_fingerprints(packed):
    return np.array(
        [
            np.mean([site_fingerprint(s, k) for k in range(len(s))], axis=0)
            for s in structures(packed)
        ]
    )


def test_structure_fingerprints_agree_with_pymatgen():
    packed = c.pack(c.FLUORITE, c.disturbed(c.PEROVSKITE, 0.05, np.random.default_rng(1)))
    packed = c.pack(packed, c.random_crystals(np.random.default_rng(2), 3))
    assert structure_fingerprints(packed) == pytest.approx(plain_fingerprints(packed), abs=1e-6)


def test_structure_fingerprints_are_those_of_matminer():
    expected = np.zeros((len(MATMINER["structure"]), 61))
    for row, values in enumerate(MATMINER["structure"]):
        expected[row, [int(column) for column in values]] = list(values.values())
    assert structure_fingerprints(crystals()) == pytest.approx(expected, abs=1e-6)


def test_composition_fingerprints_are_those_of_matminer():
    raw = np.array(MATMINER["composition"], dtype=float)
    rows = SCALER["properties"].values()
    means, deviations = (np.concatenate([row[key] for row in rows]) for key in ("mean", "std"))
    expected = np.nan_to_num((raw - means) / deviations, nan=0.0)
    assert composition_fingerprints(crystals()) == pytest.approx(expected, abs=1e-6)


# --- coverage and properties --------------------------------------------------------------------


def plain_coverage(ours, theirs, cutoffs):
    covered = {}
    for name, axis, of in (("recall", 0, theirs), ("precision", 1, ours)):
        near = np.ones(len(of.structure), dtype=bool)
        for kind, cutoff in (
            ("structure", cutoffs.structure),
            ("composition", cutoffs.composition),
        ):
            near &= cdist(getattr(ours, kind), getattr(theirs, kind)).min(axis=axis) <= cutoff
        covered[name] = near.mean()
    return covered


@pytest.mark.parametrize("name", ["mp20", "perov_5"])
def test_coverage_agrees(name):
    generator = np.random.default_rng(4)
    ours = cdvae.fingerprints(c.disturbed(c.pack(c.TEXTBOOK, c.TEXTBOOK), 0.02, generator))
    theirs = cdvae.fingerprints(c.pack(c.TEXTBOOK, c.random_crystals(generator, 8)))
    expected = plain_coverage(ours, theirs, CUTOFFS[name])
    found = coverage(ours, theirs, CUTOFFS[name])
    assert (found.test.mean(), found.samples.mean()) == (expected["recall"], expected["precision"])
    assert 0 < expected["recall"] < 1


def test_distances_of_properties_agree():
    generator = np.random.default_rng(0)
    ours, theirs = c.random_crystals(generator, 40), c.random_crystals(generator, 60, 0.05)
    found = cdvae.properties(ours, theirs)
    for name, of in (
        ("density", lambda structure: float(structure.density)),
        ("elements", lambda structure: len(set(structure.species))),
    ):
        expected = wasserstein_distance(*(list(map(of, structures(x))) for x in (ours, theirs)))
        assert found[f"wasserstein_{name}"].value == pytest.approx(expected, rel=1e-5)


# --- matching -----------------------------------------------------------------------------------


def families(generator):
    """Structure types as ones of few formulas, as they are, disturbed and in larger cells."""
    binary = c.pack(c.ROCK_SALT, c.CAESIUM_CHLORIDE, c.ZINC_BLENDE)
    simple = c.TEXTBOOK.select(range(6))
    salts = c.remade(binary, numbers=np.tile([11, 17], 3).astype(np.uint8))
    carbons = c.remade(simple, numbers=np.full(len(simple.numbers), 6, dtype=np.uint8))
    types = c.pack(salts, carbons, c.FLUORITE, c.PEROVSKITE, c.RUTILE)
    return c.pack(types, *(c.disturbed(types, x, generator) for x in (0.03, 0.2)), c.doubled(types))


def test_firsts_are_as_many_as_group_structures_finds_groups():
    packed = families(np.random.default_rng(0))
    matcher = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    groups = matcher.group_structures(structures(packed))
    assert firsts(packed).sum() == len(groups)
    assert 6 < len(groups) < 30


def test_matches_agree_pair_by_pair():
    generator = np.random.default_rng(1)
    packed = families(generator)
    places = np.arange(len(packed))
    others = packed.select(np.where(places % 2, np.roll(places, 12), np.roll(places, 1)))
    matcher = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    expected = []
    for one, other in zip(structures(packed), structures(others), strict=True):
        outcome = matcher.get_rms_dist(one, other)
        expected.append(np.nan if outcome is None else outcome[0])
    assert distances(packed, others) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert 3 < np.isfinite(expected).sum() < 30
    some = structures(packed.select(range(12)))
    plain = [any(matcher.fit(b, a) for b in some) for a in structures(packed)]
    assert known(packed, packed.select(range(12))).tolist() == plain
    assert 12 < sum(plain) < 48


def test_match_rate_and_rmse_agree_with_the_public_definition():
    """DiffCSP: None unless both are valid; the mean over those that are not None."""
    targets = families(np.random.default_rng(2))
    targets = c.pack(targets, c.crystal(c.fcc(5.6), "Na Cl Cl", [c.ORIGIN, c.HALF, c.QUARTER]))
    predictions = c.disturbed(targets, 0.15, np.random.default_rng(3))
    matcher = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    found = []
    for one, other in zip(structures(predictions), structures(targets), strict=True):
        valid = all(
            is_structurally_valid(s) and smact_validity(Counter(str(e) for e in s.species))
            for s in (one, other)
        )
        outcome = matcher.get_rms_dist(one, other) if valid else None
        found.append(None if outcome is None else outcome[0])
    matched = [value for value in found if value is not None]
    estimates = csp.evaluate(predictions, targets)
    assert estimates["csp/match_rate"].value == len(matched) / len(found)
    assert estimates["csp/rmse"].value == pytest.approx(np.mean(matched))
    everyone = [0.5 if value is None else value for value in found]
    assert estimates["csp/crmse"].value == pytest.approx(np.mean(everyone))
    assert 10 < len(matched) < len(found)


# --- real crystals ------------------------------------------------------------------------------


@pytest.mark.data
def test_real_crystals_agree(assay_data):
    test = c.real_mp20(assay_data, 2)
    small = np.flatnonzero(test.n_atoms <= 4)
    chosen = test.select(np.random.default_rng(0).choice(small, 12, replace=False))
    assert structure_fingerprints(chosen) == pytest.approx(plain_fingerprints(chosen), abs=1e-6)
    for structure in structures(test.select(range(0, 9000, 30))):
        counts = Counter(str(element) for element in structure.species)
        numbers = tuple(sorted(SYMBOLS.index(symbol) for symbol in counts))
        divisor = math.gcd(*counts.values())
        reduced = tuple(counts[SYMBOLS[number]] // divisor for number in numbers)
        assert is_smact_valid(numbers, reduced) is smact_validity(counts)
