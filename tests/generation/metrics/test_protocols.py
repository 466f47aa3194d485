"""What holds of every protocol of molecules, whatever it measures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import catalog
from assay.chemistry.molecules import Molecules
from assay.errors import MachineError
from assay.generation.catalog import MOLECULE_PROTOCOLS
from assay.generation.metrics import fcd, posebusters
from assay.generation.metrics.protocol import Scoring, missing, require, sub_sample
from tests.chemistry import geometries as g
from tests.generation.metrics import held

PROTOCOLS = {name: catalog.load(target)() for name, target in MOLECULE_PROTOCOLS.items()}
QUICK = [name for name in PROTOCOLS if name != "posebusters"]
SOME_AT_ONCE = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "fcd" else []) for name in QUICK
]
"""A network looks at every molecule of FCD again."""
SAMPLES = held.TEST[:8] + held.TRAIN[:5] + held.TEST[:2]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """One cache for the file: what is computed from the reference is computed once."""
    folder = tmp_path_factory.getbasetemp() / "cache-of-protocols"
    monkeypatch.setenv("ASSAY_CACHE", str(folder))


def samples():
    return g.disturbed(held.embedded(*SAMPLES), 0.01, np.random.default_rng(0))


def scored(name, molecules, **options):
    return PROTOCOLS[name].evaluate(Scoring(molecules, held.reference(), **options))


def assert_alike(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, estimate in found.items():
        other = expected[name]
        assert estimate.n == other.n, name
        assert estimate.value == pytest.approx(other.value, rel=tolerance, abs=tolerance), name
        for side in ("low", "high"):
            pair = getattr(estimate, side), getattr(other, side)
            assert pair[0] == pytest.approx(pair[1], rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_estimate_says_what_it_is(name):
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert protocol.lacks() is None
    found = scored(name, samples().select(range(4)))
    assert found
    for metric, estimate in found.items():
        assert metric.startswith(f"{name}/")
        assert estimate.version == protocol.version
        assert math.isfinite(estimate.value)
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("name", PROTOCOLS)
def test_bad_molecules_never_stop_a_protocol(name):
    bad, good = held.bad_molecules(), held.embedded("CCO", "CC=O")
    for molecules in (bad, g.pack(good, bad)):
        for metric, estimate in scored(name, molecules, rejected=2).items():
            assert math.isfinite(estimate.value), metric
            assert estimate.n <= len(molecules) + 2 or metric == "moses/scaffold_coverage"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_at_all_is_defined(name):
    nothing = Molecules(g.WATER.positions[:0], g.WATER.numbers[:0], g.WATER.n_atoms[:0])
    for estimate in scored(name, nothing).values():
        assert (estimate.value, estimate.n) == (0, 0)


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("edm", ("molecule_stability", "validity", "valid_unique")),
        ("edm_strict", ("connected", "exact_valence", "validity", "valid_unique")),
        ("geometry", ("mmff_typed",)),
        ("posebusters", ("passed", "mol_pred_loaded", "sanitization", "internal_energy")),
    ],
)
def test_rejected_records_and_bad_molecules_count_as_failures(name, metrics):
    good = held.embedded("CCO", "CC=O")
    alone = scored(name, good)
    beside = scored(name, g.pack(good, held.bad_molecules().select([0, 1, 2])), rejected=1)
    for metric in metrics:
        assert alone[f"{name}/{metric}"].value == 1.0
        assert beside[f"{name}/{metric}"].value == pytest.approx(2 / 6)
        assert beside[f"{name}/{metric}"].n == 6


@pytest.mark.parametrize("name", QUICK)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_the_order_of_samples_does_not_matter(name, seed):
    molecules = samples()
    order = np.random.default_rng(seed).permutation(len(molecules))
    assert_alike(scored(name, molecules.select(order)), scored(name, molecules), 1e-7)


@pytest.mark.parametrize("name", SOME_AT_ONCE)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_the_order_of_atoms_does_not_matter(name, seed):
    molecules = samples()
    shuffled = held.shuffled_atoms(molecules, np.random.default_rng(seed))
    assert_alike(scored(name, shuffled), scored(name, molecules), 1e-5)


@pytest.mark.parametrize("name", SOME_AT_ONCE)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_rotation_and_translation_do_not_matter(name, seed):
    molecules = samples()
    turned = held.moved(molecules, np.random.default_rng(seed))
    assert_alike(scored(name, turned), scored(name, molecules), 1e-3)


def test_posebusters_sees_neither_order_nor_orientation():
    generator = np.random.default_rng(3)
    molecules = samples().select(range(5))
    expected = scored("posebusters", molecules)
    turned = held.moved(held.shuffled_atoms(molecules, generator), generator)
    assert_alike(scored("posebusters", turned.select([3, 1, 4, 0, 2])), expected, 0)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("edm", {"atom_stability", "molecule_stability", "validity", "uniqueness", "valid_unique"}),
        ("fcd", set()),
        ("moses", {"qed", "sa", "internal_diversity"}),
        ("geometry", {"mmff_typed", "strain_energy"}),
    ],
)
def test_without_a_reference_what_needs_one_is_left_out(name, left):
    found = PROTOCOLS[name].evaluate(Scoring(held.embedded("CCO", "CC=O")))
    assert {metric.partition("/")[2] for metric in found} == left


@pytest.mark.parametrize("protocol", [fcd.FCD(), posebusters.PoseBusters()])
def test_what_is_not_installed_is_said_in_one_sentence(protocol, monkeypatch):
    monkeypatch.setattr("assay.generation.metrics.protocol.find_spec", lambda name: None)
    sentence = protocol.lacks()
    assert sentence.endswith("run `pip install 'assay-bench[metrics]'`")
    with pytest.raises(MachineError, match="is not installed"):
        require(protocol)
    with pytest.raises(MachineError, match="is not installed"):
        protocol.evaluate(Scoring(g.WATER))


def test_what_is_installed_lacks_nothing():
    assert missing("numpy", "metrics") is None


def test_a_sub_sample_is_all_or_as_many_as_asked_for_without_repeats():
    assert sub_sample(5, 5, seed=0).tolist() == [0, 1, 2, 3, 4]
    chosen = sub_sample(1000, 50, seed=1)
    assert len(set(chosen.tolist())) == 50
    assert (np.diff(chosen) > 0).all()
    assert chosen.tolist() == sub_sample(1000, 50, seed=1).tolist()
    assert chosen.tolist() != sub_sample(1000, 50, seed=2).tolist()


def test_the_data_row_is_of_a_split_that_the_protocol_does_not_compare_with():
    rows = {name: protocol.data_row for name, protocol in PROTOCOLS.items()}
    assert rows == {
        "edm": "test", "edm_strict": "test", "fcd": "validation", "moses": "validation",
        "geometry": "validation", "posebusters": "test",
    }  # fmt: skip
