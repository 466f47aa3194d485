"""Cross-validation: a cell's fold is its test, and nothing of it is known in training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cell import Cell, load_suite
from assay.errors import ConfigError, DataError
from assay.habitability.data.batches import PlanetRecords, splits
from assay.habitability.data.samples import Sample, pathways_in, planets_of, texts_in
from assay.habitability.data.samples import pack as pack_planets
from assay.habitability.fusions.energy_balance import EnergyBalance
from assay.habitability.metrics.folds import Pooled
from assay.habitability.task import HabitabilityTask
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.reference import _identity, compute_reference
from assay.runner import cell_directory, run_cell
from assay.store import sets
from assay.store.packed import PackedSet
from assay.training.execution import Execution
from tests.test_cell import DIGEST, ROOT

SUITE = ROOT / "sweeps" / "habitability_gcm.yaml"
FOLDS = 4


def with_arrays(packed: PackedSet, **arrays: np.ndarray) -> PackedSet:
    return PackedSet(packed.directory, packed.manifest, {**packed.arrays, **arrays})


@pytest.fixture(scope="module")
def folded(planets) -> PackedSet:
    """The mini set in four folds by planet."""
    groups = np.array(list(texts_in(planets, "groups")))
    of_M = np.unique(groups, return_inverse=True)[1] % FOLDS + 1
    return with_arrays(planets, folds=of_M.astype(np.uint8))


@pytest.fixture
def opened(folded, monkeypatch) -> PackedSet:
    """The folded set, as every cell opens it."""
    monkeypatch.setattr(sets, "open_set", lambda name: folded)
    monkeypatch.setattr(sets, "prepare", lambda name: folded)
    return folded


def cell(fusion: str, fold: int, digest: str, *overrides: str) -> Cell:
    suite = load_suite(SUITE, ("data=mini_planets", "seeds=[0]", *overrides))
    return suite.named_cells(digest)[f"{fusion}-{fold} s0"]


def rows(records) -> np.ndarray:
    assert isinstance(records, PlanetRecords)
    return records.records


def test_every_planet_is_the_test_of_one_fold_and_its_group_with_it(folded):
    groups, folds = np.array(list(texts_in(folded, "groups"))), folded.arrays["folds"]
    tested = []
    for fold in range(1, FOLDS + 1):
        found = splits(folded, fold=fold)
        parts = [rows(each) for each in (found.train, found.validation, found.test)]
        assert set(folds[parts[2]]) == {fold}
        assert set(folds[parts[1]]) == {fold + 1 if fold < FOLDS else 1}
        assert sorted(np.concatenate(parts)) == list(range(len(folds)))
        assert not set(groups[parts[2]]) & set(groups[np.concatenate(parts[:2])])
        tested += parts[2].tolist()
    assert sorted(tested) == list(range(len(folds)))


def test_a_set_without_folds_and_a_fold_that_is_not_there_are_refused(planets, folded):
    with pytest.raises(ConfigError, match=r"^mini_planets: is not divided into folds; leave out"):
        splits(planets, fold=1)
    with pytest.raises(ConfigError, match=r"^mini_planets: has folds 1 to 4, not 5$"):
        splits(folded, fold=5)
    some = np.where(np.arange(len(folded.ids)) < 3, 0, folded.arrays["folds"]).astype(np.uint8)
    with pytest.raises(ConfigError, match="is not divided into folds"):
        splits(with_arrays(folded, folds=some), fold=1)


def test_a_planet_in_two_folds_is_refused(planets):
    graphs = graphs_of(pathways_in(planets))
    one = Sample("Vulcan 1", "Vulcan", "train", 0.5, 0.5, graph=0, fold=3)
    with pytest.raises(DataError, match="planet Vulcan 2: Vulcan is in fold 3 and in 4; put all"):
        pack_planets([one, replace(one, name="Vulcan 2", fold=4)], graphs,
                     compounds_of(pathways_in(planets)))  # fmt: skip


def test_the_axis_of_a_grid_is_the_setting():
    one = cell("concatenation", 3, DIGEST)

    assert one.variant == {"fusion": "concatenation", "fold": "3"}
    assert one.settings.model_dump()["fold"] == 3
    assert Cell.model_validate(json.loads(one.model_dump_json())).key == one.key
    assert one.key != cell("concatenation", 4, DIGEST).key


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("settings.fold=2", "settings.fold is 2, and 1 in the grid; leave it out"),
        ("grid.fold=[first]", "fold: input should be a valid integer"),
        ("grid.fold=['0']", "fold: input should be greater than 0"),
        ("grid={fusion: [late], folds: ['1']}", "a variant is a fusion, and a fold if the grid"),
    ],
)
def test_bad_folds_are_one_sentence(override, said):
    with pytest.raises(ConfigError, match=said):
        load_suite(SUITE, (override, "rules=[]")).cells(DIGEST)


@pytest.mark.parametrize("fusion", ["training_mean", "energy_balance", "concatenation"])
def test_nothing_of_other_folds_is_known_in_training(folded, opened, monkeypatch, fusion):
    one = cell(fusion, 2, folded.digest)
    train = folded.arrays["folds"] != 2
    train &= folded.arrays["folds"] != 3
    seen = np.isin(np.arange(len(folded.arrays["climate_cubes"])), folded.arrays["cube_of"][train])
    other = with_arrays(
        folded,
        **{
            name: np.where(kept.reshape(-1, *[1] * (array.ndim - 1)), array, array[::-1])
            for name, array in folded.arrays.items()
            for kept in (seen if name == "climate_cubes" else train,)
            if name in ("habitability", "liquid_water", "climate_cubes", "cube_of", "graph_of",
                        "planet_params", "environment")
        },
    )  # fmt: skip
    assert (other.arrays["habitability"] != folded.arrays["habitability"]).any()

    def built() -> dict[str, torch.Tensor]:
        task = HabitabilityTask(one)
        torch.manual_seed(0)
        return task.model(task.data()).state_dict()

    before = built()
    monkeypatch.setattr(sets, "open_set", lambda name: other)

    after = built()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name


def test_the_reference_is_all_folds_each_by_the_mean_of_its_own_training(folded, opened):
    one, other = (compute_reference(cell("concatenation", k, folded.digest)) for k in (1, 4))

    assert one == other
    assert one.label == "mini_planets, every fold's test split"
    label, folds = (np.asarray(folded.arrays[name], float) for name in ("habitability", "folds"))
    chance = np.empty((len(label), 11))
    for k in range(1, FOLDS + 1):
        train = (folds != k) & (folds != k % FOLDS + 1)
        reached = label[train, None] >= (np.arange(11) + 0.5) / 11
        chance[folds == k] = (reached.sum(0) + 0.5) / (train.sum() + 1)
    off = np.abs(label - chance.mean(1)).mean()
    assert one.estimates["habitability/mae"].value == pytest.approx(off, abs=1e-5)
    assert one.estimates["habitability/mae"].n == len(set(texts_in(folded, "groups")))


def test_a_reference_of_folds_is_kept_apart_from_that_of_the_test_split():
    folds = cell("concatenation", 1, DIGEST)
    plain = load_suite(SUITE, ("grid={fusion: [late]}", "rules=[]", "data=mini_planets")).cells(
        DIGEST
    )[0]

    assert _identity(folds) == {**_identity(plain), "split": "every fold's test"}
    assert "split" not in _identity(plain)


def test_folds_that_were_run_are_read_as_one(folded, opened, tmp_path):
    paths = []
    for fold in range(1, FOLDS + 1):
        one = cell("energy_balance", fold, folded.digest)
        run_cell(one, Execution(), tmp_path, lambda report: None)
        paths.append(cell_directory(tmp_path, one.key) / "artifacts" / "predictions.jsonl")

    found = Pooled.read([paths])

    assert found.record_N.tolist() == list(range(len(folded.ids)))
    assert found.groups_N == tuple(texts_in(folded, "groups"))
    assert found.label_N == pytest.approx(folded.arrays["habitability"], abs=1e-6)
    estimates = found.estimates()
    assert estimates["folds/r2"].n == len(set(found.groups_N))
    assert estimates["folds/r2"].value > 0, "of the mini set liquid water tells something"


def test_without_a_cube_the_energy_balance_is_the_training_mean(planets, averages):
    train = splits(planets).train
    floor = EnergyBalance.of(averages, train)
    batch = train.batch(np.arange(40))
    has = batch.has("climate_cubes")

    chance = floor.foretell(floor.encode(batch)).chance_BK

    assert has.any()
    assert not has.all()
    torch.testing.assert_close(chance[~has], averages.reached_K.expand(int((~has).sum()), -1))
    assert ((chance[:, 1:] <= chance[:, :-1] + 1e-6) & (chance[:, 1:] > 0)).all()
    own = floor.encode(batch).x_BTD[has, 0, 0]
    torch.testing.assert_close(own, batch.liquid_water_label[has], rtol=0, atol=1e-5)


def test_the_energy_balance_weighs_neighbours_by_hand(averages, batch):
    liquid, reached = torch.tensor([0.25, 0.75]), torch.tensor([[0.0] * 11, [1.0] * 11])
    floor = EnergyBalance(averages, liquid, reached)
    cubes = torch.full_like(batch.climate_cubes, -2.0)  # 190 K
    cubes[:, :, :, :3] = 0.5  # 290 K on a quarter of the longitudes
    there = torch.ones_like(batch.presence)

    given = floor.encode(replace(batch, climate_cubes=cubes, presence=there))

    width = 1.06 * 0.5 / 2**0.5 * 2**-0.2
    far = np.exp(-((0.5 / width) ** 2) / 2)
    expected = (far + averages.reached_K.numpy()) / (1 + far + 1)
    assert floor.width == pytest.approx(width)
    np.testing.assert_allclose(floor.foretell(given).chance_BK[3], expected, rtol=1e-5)


@pytest.mark.data
def test_the_planets_of_the_circulation_model_are_cross_validated(
    assay_data, tmp_path, monkeypatch
):
    """What our own model's liquid water tells of the circulation model's habitability: nothing."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    packed = planets_of(sets.prepare("gcm_planets"))
    suite = load_suite(
        SUITE, ("seeds=[0]", "grid.fusion=[energy_balance, training_mean]", "rules=[]")
    )
    paths: dict[str, list[Path]] = {}
    for one in suite.cells(packed.digest):
        run_cell(one, Execution(), tmp_path, lambda report: None)
        path = cell_directory(tmp_path, one.key) / "artifacts" / "predictions.jsonl"
        paths.setdefault(one.variant["fusion"], []).append(path)

    stored, first = splits(packed), splits(packed, fold=1)
    for name in ("train", "validation", "test"):
        assert (rows(getattr(stored, name)) == rows(getattr(first, name))).all()
    floor, water = (Pooled.read([paths[name]]) for name in ("training_mean", "energy_balance"))
    estimates = water.estimates(floor)
    assert len(water.record_N) == 164
    assert estimates["folds/r2"].n == 158
    assert -0.1 < estimates["folds/r2"].value < 0.02
    assert estimates["folds/mae"].value == pytest.approx(0.083, abs=0.002)
    assert abs(estimates["folds/mae_beside"].value) < 0.003
    liquid, label = (
        np.asarray(packed.arrays[key], float) for key in ("liquid_water", "habitability")
    )
    assert abs(np.corrcoef(liquid, label)[0, 1]) < 0.02
    at_its_word = 1 - ((label - liquid) ** 2).sum() / ((label - label.mean()) ** 2).sum()
    assert at_its_word == pytest.approx(-3.93, abs=0.02)
