import numpy as np
import pytest

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import edm, edm_strict
from assay.generation.metrics.protocol import Scoring
from tests.chemistry import geometries as g
from tests.generation.metrics import held


def named(molecules, reference=None, **options):
    found = edm_strict.EDMStrict().evaluate(Scoring(molecules, reference, **options))
    return {name.removeprefix("edm_strict/"): estimate for name, estimate in found.items()}


def apart():
    """Water and methane as one sample, 9 Å from each other."""
    both = g.pack(g.WATER, g.METHANE)
    shift = np.repeat([[0, 0, 0], [9, 0, 0]], [3, 5], axis=0).astype(np.float32)
    return Molecules(both.positions + shift, both.numbers, np.array([8]))


def test_textbook_molecules_are_judged_by_hand():
    """Carbon monoxide has no neutral valence, and benzene's bonds look single."""
    names = [k for k in range(12) if k not in (5, 11)]
    strict = edm_strict.smiles(g.EVERYTHING)
    assert [k for k, text in enumerate(strict) if text is not None] == names
    assert edm_strict.connected(g.EVERYTHING).all()
    assert edm_strict.exact_valences(g.EVERYTHING).tolist() == [k in names for k in range(12)]


def test_a_molecule_in_pieces_is_valid_only_leniently():
    assert edm.smiles(apart(), processes=1) == ["[H]C([H])([H])[H]"]
    assert edm_strict.smiles(apart()) == [None]
    assert named(apart())["connected"].value == 0
    assert named(apart())["exact_valence"].value == 1


def test_missing_hydrogens_are_not_made_up_for():
    carbon = g.molecule("C", [(0, 0, 0)])
    assert edm.smiles(carbon, processes=1) == ["C"]
    assert edm_strict.smiles(carbon) == [None]


def test_elements_outside_the_five_never_count():
    """Hydrogen chloride is stable in the look-up, but chlorine is not of the five."""
    chloride = g.line(("H", 0.0), ("Cl", 1.27))
    assert edm.stability(chloride).stable_molecules.tolist() == [True]
    assert edm_strict.exact_valences(chloride).tolist() == [False]


def test_fractions_are_counted_by_hand():
    samples = g.pack(g.WATER, g.WATER, g.METHANE, g.CARBON_MONOXIDE, apart())
    known = held.Held(g.WATER, g.HCN, g.HCN)
    expected = {
        "connected": (4 / 6, 6),
        "exact_valence": (4 / 6, 6),
        "validity": (3 / 6, 6),
        "uniqueness": (2 / 3, 3),
        "valid_unique": (2 / 6, 6),
        "novelty": (1 / 2, 2),
    }
    found = named(samples, known, rejected=1)
    assert {name: (e.value, e.n) for name, e in found.items()} == expected


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))


def test_strictly_valid_is_never_more_than_valid():
    molecules = g.pack(
        g.disturbed(held.embedded(*held.TEST), 0.06, np.random.default_rng(0)),
        g.crowd(60, np.random.default_rng(1), "CCNOH", largest=4, side=3.0),
    )
    lenient, strict = edm.smiles(molecules, processes=1), edm_strict.smiles(molecules)
    both = [(one, other) for one, other in zip(lenient, strict, strict=True) if other is not None]
    assert both
    assert all(one == other for one, other in both)
    assert len(both) < sum(text is not None for text in lenient)


@pytest.mark.data
def test_qm9_is_strictly_valid_where_it_is_stable(assay_data):
    molecules, split = g.real_qm9(assay_data)
    test = molecules.select(np.flatnonzero(split == 2))
    strict = edm_strict.connected(test) & edm_strict.exact_valences(test)
    assert strict.mean() == pytest.approx(0.9563, abs=0.0005)
    assert edm_strict.connected(test).mean() == pytest.approx(0.9998, abs=0.0001)
