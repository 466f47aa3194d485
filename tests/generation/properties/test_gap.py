"""The judge of gaps learns from records that the generator is not told of."""

import numpy as np
import pytest

from assay.cell import load_suite
from assay.generation.data.qm9_gap import GAPS
from assay.generation.domain import MoleculeDomain
from assay.generation.properties.composition import Composition
from assay.generation.properties.gap import Gap
from assay.generation.task import GenerationTask
from assay.store import sets
from assay.store.packed import PackedSet
from tests.test_cell import ROOT


@pytest.fixture
def domain(mini, tmp_path, monkeypatch) -> MoleculeDomain:
    """The mini set with made-up gaps: 8 eV less what each heteroatom takes; a tenth not known."""
    packed = sets.open_packed("mini")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    counts_RK = Composition(MoleculeDomain(packed, 1.72)).asked()
    gaps_R = (8.0 - counts_RK @ [0.0, 0.1, 0.5, 1.0, 0.3]).astype(np.float32)
    gaps_R[::10] = np.nan
    arrays = {**packed.arrays, GAPS: gaps_R}
    made = PackedSet.write(tmp_path, arrays, name="mini", description="", source="rules")
    return MoleculeDomain(made, 1.72)


def test_judge_and_generator_learn_from_disjoint_halves(domain):
    gap, packed = Gap(domain), domain.prepared
    train = packed.arrays["split"] == 0
    known = np.isfinite(packed.arrays[GAPS])

    assert train[gap.held_out].all()
    assert known[gap.held_out].all()
    assert len(gap.held_out) == (known & train).sum() // 2
    assert np.array_equal(np.isfinite(gap.asked()[:, 0]), known)


def test_a_cell_that_is_asked_for_gaps_does_not_learn_from_what_its_judge_has_seen(
    domain, monkeypatch
):
    packed = domain.prepared
    monkeypatch.setattr("assay.generation.task.sets.open_set", lambda name: packed)
    suite = load_suite(
        ROOT / "sweeps" / "grid_mini.yaml", ("rules=[]", "settings.conditions.properties=[gap]")
    )
    task = GenerationTask(suite.cells(packed.digest)[0])
    held_out = task.conditioning.properties[0].held_out

    data = task.data()

    ids = data.train.batch(np.arange(len(data.train))).record_ids.numpy()
    assert not np.isin(ids, held_out).any()
    assert len(ids) + len(held_out) == (packed.arrays["split"] == 0).sum()
    assert len(data.train.lengths) == len(ids)
    assert f"{len(held_out):,} training records are left to a property's judge" in data.description


def test_the_judge_tells_the_gaps_of_molecules_it_has_not_seen(domain):
    gap, test = Gap(domain), domain.prepared.split_indices("test")
    truth = domain.prepared.arrays[GAPS][test].astype(np.float64)

    said = gap.of(domain.records.select(test))[:, 0]
    errors = np.abs(said - truth)[np.isfinite(truth) & np.isfinite(said)]

    assert len(errors) > 0.8 * len(test)
    assert errors.mean() < 0.2 * np.nanstd(truth)
    again = Gap(domain).of(domain.records.select(test))[:, 0]  # from the cache
    np.testing.assert_array_equal(again, said)


def test_the_judge_says_nothing_of_what_is_no_molecule(domain):
    apart = domain.records.select(np.array([1, 2]))
    apart.positions[: apart.n_atoms[0]] = np.nan

    said = Gap(domain).of(apart)

    assert said.shape == (2, 1)
    assert np.isnan(said[0, 0])
    assert np.isfinite(said[1, 0])
    assert Gap(domain).of(domain.records.select(np.zeros(0, int))).shape == (0, 1)


@pytest.mark.data
@pytest.mark.slow
def test_the_judge_errs_by_a_fifth_of_an_ev_on_real_molecules(assay_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    monkeypatch.setenv("ASSAY_DATA", str(assay_data))
    domain = MoleculeDomain(sets.prepare("qm9_gap"), 1.72)
    gap, test = Gap(domain), domain.test_records()
    asked = gap.asked()[test, 0]
    test, asked = test[np.isfinite(asked)], asked[np.isfinite(asked)]

    errors = np.abs(gap.of(domain.records.select(test))[:, 0] - asked)

    assert len(gap.held_out) == 9_972
    assert np.isfinite(errors).sum() == 2_462
    assert np.nanmean(errors) == pytest.approx(0.203, abs=0.002)
