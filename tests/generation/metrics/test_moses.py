import numpy as np
import pytest

from assay.errors import DataError
from assay.generation.metrics import moses
from assay.generation.metrics.descriptors import describe
from assay.generation.metrics.protocol import Scoring
from tests.chemistry import geometries as g
from tests.generation.metrics import held

TWO_RINGS = ("C1CC2CC1C2", "C1CC2CC2C1", "C1CC2OC2C1")
"""All are embedded with the bonds that the look-up sees."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path


def named(molecules, reference=None, **options):
    found = moses.MOSES().evaluate(Scoring(molecules, reference, **options))
    return {name.removeprefix("moses/"): estimate for name, estimate in found.items()}


def against(test):
    return held.Held(g.WATER, g.WATER, held.embedded(*test))


def test_the_reference_itself_is_as_like_as_can_be():
    test = (*TWO_RINGS, "CCO", "CCCOC")
    found = named(held.embedded(*test), against(test))
    for name in ("snn", "fragments", "scaffolds", "scaffold_coverage"):
        assert found[name].value == pytest.approx(1.0), name
    for name in ("qed_wasserstein", "sa_wasserstein", "logp_wasserstein"):
        assert found[name].value == pytest.approx(0.0, abs=1e-12), name


def test_coverage_counts_the_scaffolds_of_the_reference():
    found = named(held.embedded(TWO_RINGS[0], "CCO"), against((*TWO_RINGS, "CCO")))
    assert (found["scaffold_coverage"].value, found["scaffold_coverage"].n) == (1 / 3, 3)
    assert found["scaffolds"].value == pytest.approx(1 / np.sqrt(3))


def test_repeats_count_as_often_as_they_were_sampled():
    once = named(held.embedded("CCO", TWO_RINGS[0]), against(TWO_RINGS))
    often = named(held.embedded("CCO", *[TWO_RINGS[0]] * 9), against(TWO_RINGS))
    assert often["internal_diversity"].value < once["internal_diversity"].value
    assert often["snn"].value > once["snn"].value
    assert often["qed"].n == 10


def test_means_are_those_of_the_valid_molecules():
    texts = ["CCO", "CC=O", "CCN"]
    found = named(g.pack(held.embedded(*texts), g.CARBON_MONOXIDE), rejected=3)
    qed = [one.qed for one in describe(texts)]
    assert found["qed"].value == pytest.approx(np.mean(qed))
    assert found["qed"].n == 3
    assert (found["qed"].better, found["sa"].better) == ("higher", "lower")


def test_without_scaffolds_in_the_reference_there_is_no_likeness_of_scaffolds():
    found = named(held.embedded("CCO", TWO_RINGS[0]), against(("CCO", "CCN")))
    assert "scaffolds" not in found
    assert "scaffold_coverage" not in found
    assert found["fragments"].value > 0


def test_without_scaffolds_in_the_samples_the_likeness_is_none():
    found = named(held.embedded("CCO", "CCN"), against(TWO_RINGS))
    assert (found["scaffolds"].value, found["scaffold_coverage"].value) == (0, 0)


def test_of_one_valid_molecule_or_none_nothing_is_said():
    assert named(g.CARBON_MONOXIDE, against(TWO_RINGS)) == {}
    assert named(held.embedded("CCO"), against(TWO_RINGS)) == {}


def test_a_reference_without_valid_molecules_is_an_error():
    with pytest.raises(DataError, match="held: has no valid molecule in its test split"):
        named(held.embedded("CCO", "CCN"), held.Held(g.WATER, g.WATER, g.CARBON_MONOXIDE))


def test_the_reference_is_described_once(monkeypatch):
    samples, reference = held.embedded("CCO", "CCN"), against(TWO_RINGS)
    first = named(samples, reference)
    described = []
    monkeypatch.setattr(moses, "describe", lambda *a: described.append(a[0]) or describe(*a))
    assert named(samples, reference) == first
    assert len(described) == 1
