"""The family from a cell to its result."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from assay.cell import Cell, load_suite
from assay.conformance import families
from assay.conformance.checks import claim
from assay.conformance.families import FamilyUnderTest
from assay.errors import ConfigError
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.data.samples import texts_in
from assay.habitability.metrics.modalities import others
from assay.habitability.task import HabitabilityTask
from assay.reference import compute_reference
from assay.result import Result, read_metrics
from assay.runner import cell_directory, run_cell, train_until
from assay.store import sets
from assay.task import Stage
from assay.training.execution import Execution
from tests.test_cell import ROOT

SUITE = ROOT / "sweeps" / "habitability_mini.yaml"
TINY = ("budget.steps=4", "training.batch_size=8", "training.validations=1",
        "settings.validation_planets=8")  # fmt: skip
MEASURED = {
    "habitability/r2", "habitability/mae", "habitability/ece", "habitability/auroc",
    "auxiliary/liquid_water", "auxiliary/environment", "physics/imbalance", "bistable/mae",
    "reconstruction/bio_graphs", "reconstruction/climate_cubes", "reconstruction/spectra",
    "reconstruction/text_descriptions", "reconstruction/planet_params",
    "modalities/without_spectra", "modalities/shuffled_climate_cubes",
}  # fmt: skip


def cells(*overrides: str) -> tuple[Cell, ...]:
    suite = load_suite(SUITE, (*TINY, *overrides))
    return suite.cells(sets.open_set("mini_planets").digest)


def cell(fusion: str = "cross_attention", *overrides: str) -> Cell:
    return next(each for each in cells(*overrides) if each.label == fusion)


def run(one: Cell, storage: Path, **execution) -> Result:
    return run_cell(one, Execution(**execution), storage, lambda report: None)


def losses(storage: Path, one: Cell) -> list[dict[str, float]]:
    found = read_metrics(cell_directory(storage, one.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


@pytest.fixture(scope="module")
def whole(prepared_planets, tmp_path_factory) -> tuple[Path, Cell, Result]:
    """One cell, run to its result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_planets))
        patch.delenv("ASSAY_DATA", raising=False)
        storage = tmp_path_factory.mktemp("runs")
        one = cell()
        return storage, one, run(one, storage)


def test_a_cell_is_judged_by_every_protocol(whole, planets):
    _, _, result = whole

    assert set(result.estimates) >= MEASURED
    test = planets.split_indices("test")
    assert result.estimates["habitability/mae"].n < len(test), "starts and guests are one"
    assert f"{len(test)} records" in result.estimates["habitability/mae"].version


def test_what_was_foretold_is_left_beside_the_result(whole, planets):
    storage, one, result = whole
    folder = cell_directory(storage, one.key) / "artifacts"

    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    bins = json.loads((folder / "reliability.json").read_text())
    grid = json.loads((folder / "modalities.json").read_text())
    drawn = json.loads((folder / "planets.json").read_text())["planets"]

    assert len(lines) == len(planets.split_indices("test"))
    errors = [abs(each["habitability"] - each["foretold"]) for each in lines]
    assert np.mean(errors) == pytest.approx(result.estimates["habitability/mae"].value, abs=1e-5)
    assert sum(each["records"] for each in bins) == len(lines)
    assert len(grid["subsets"]) == 32
    assert "modalities/without_spectra" in grid["rises"]
    for line, one in zip(lines, drawn, strict=False):
        assert one["record"] == line["record"]
        assert one["foretold"] == pytest.approx(line["foretold"], abs=1e-4)
    assert len(drawn) == 4


def test_the_log_has_every_loss_raw_and_weighted_and_how_it_pulls(whole):
    storage, one, _ = whole
    rows = losses(storage, one)

    names = {name for row in rows for name in row}
    for loss in ("classification", "reconstruction", "physics", "consistency"):
        assert {f"train/{loss}", f"val/{loss}", f"val/weighted/{loss}"} <= names
        assert f"val/share/{loss}/spectra" in names
        assert f"train/weight/{loss}" in names
    assert {"val/mae", "val/r2", "val/ece", "train/physics/energy"} <= names


def test_half_a_run_and_its_other_half_are_the_whole_bit_for_bit(cached_planets, whole, tmp_path):
    storage, one, result = whole

    train_until(one, Execution(), tmp_path, lambda report: None, 0.5)
    found = run(one, tmp_path)

    assert found.provenance.resumed == 1
    assert found.estimates == result.estimates
    assert losses(tmp_path, one) == losses(storage, one)


def test_halved_micro_batches_train_alike(cached_planets, whole, tmp_path):
    storage, one, _ = whole
    train_until(one, Execution(accumulation=2), tmp_path, lambda report: None, 1.0)

    both = [[row["train/loss"] for row in losses(place, one)] for place in (storage, tmp_path)]

    np.testing.assert_allclose(*both, rtol=0, atol=2e-4)


def test_the_training_mean_is_the_floor_and_scores_what_it_must(cached_planets, planets, tmp_path):
    floor = compute_reference(cell())
    result = run(cell("training_mean"), tmp_path)

    assert floor.name == "training mean"
    train, test = (planets.split_indices(split) for split in ("train", "test"))
    labels = planets.arrays["habitability"]
    found = floor.estimates
    off = np.abs(labels[test] - labels[train].mean()).mean()
    assert found["habitability/mae"].value == pytest.approx(off, abs=0.02)
    assert found["habitability/auroc"].value == 0.5
    assert found["habitability/r2"].value <= 0
    assert found["reconstruction/spectra"].value == 1
    assert {name: each.value for name, each in result.estimates.items()} == pytest.approx(
        {name: each.value for name, each in found.items()}
    )
    assert result.cost.steps == 0


def test_validation_is_the_same_at_every_call(cached_planets):
    task = HabitabilityTask(cell())
    torch.manual_seed(0)
    model = task.model(task.data()).eval()

    with torch.no_grad():
        first, again = (task.validate(model, task.data(), Stage("train")) for _ in range(2))

    assert first == again


def test_negatives_are_training_planets_and_never_the_planet_itself(cached_planets, planets):
    task = HabitabilityTask(cell("cross_attention", "training.records=20"))
    batch = task.used.batch(np.arange(8))

    found = [task._negatives(batch, "train", step) for step in (0, 0, 1)]

    ids = [each.batch.record_ids.tolist() for each in found]
    assert ids[0] == ids[1] != ids[2]
    assert set(ids[0]) <= set(task._training_rows.tolist())
    same = batch.record_ids[:, None] == found[0].batch.record_ids
    assert found[0].alike_BN[same].all()
    assert not found[0].alike_BN.all()
    assert (
        task._negatives(task.used.batch(np.arange(3)), "train", 0).batch.record_ids.tolist()
        == (ids[0])
    ), "whichever part of a step asks"
    assert HabitabilityTask(cell("only_spectra"))._negatives(batch, "train", 0) is None


def test_the_same_planet_with_another_guest_is_no_negative(cached_planets, planets):
    task = HabitabilityTask(cell())
    rows = task._training_rows
    batch = task.used.batch(np.arange(len(rows)))

    found = task._negatives(batch, "train", 0)

    groups = np.array(list(texts_in(planets, "groups")))
    others = found.batch.record_ids.numpy()
    same = groups[rows][:, None] == groups[others]
    assert same.sum() > len(others), "more than each with itself"
    assert found.alike_BN.numpy()[same].all()


def test_a_shuffled_modality_is_another_planets_though_a_cube_is_in_several_records(
    cached_planets, planets
):
    units = HabitabilityTask(cell())._units
    rows = planets.split_indices("test")
    there = np.array(planets.arrays["presence"][rows, MODALITIES.index("climate_cubes")])

    lent = others(units, there, np.random.default_rng(0))

    cube_of = planets.arrays["cube_of"][rows]
    assert len(np.unique(cube_of[there])) < there.sum()
    assert (cube_of[lent][there] != cube_of[there]).all()
    assert (units.of_N[lent][there] != units.of_N[there]).all()


def test_fewer_training_records_are_all_that_a_model_knows(cached_planets, planets):
    task = HabitabilityTask(cell("cross_attention", "training.records=20"))

    rows = task._training_rows
    assert len(rows) == 20
    graphs = planets.arrays["graph_of"][rows]
    assert len(task.corpus.graphs) == len(np.unique(graphs[graphs >= 0]))
    reached = (planets.arrays["habitability"][rows] >= 0.5).sum()
    assert float(task.averages.reached_K[5]) == pytest.approx((reached + 0.5) / 21)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid={fusion: [cross_atention]}", "unknown fusion 'cross_atention'; did you mean"),
        ("grid={model: [late]}", "a variant is a fusion"),
        ("settings.model.querries=4", r"unknown key 'model.querries'; did you mean 'queries'\?"),
        ("settings.model={width: 10, heads: 4}", "width 10 is no even multiple of heads 4"),
        ("settings.model.graph.environment=film", "the environment is a target here"),
        ("settings.model.graph.weights.degree=0", "graph.weights.degree: is the graph's part"),
        ("settings.model.weights.physics=-1", "weights.physics"),
        ("settings.model.modality_dropout=1", "modality_dropout"),
    ],
)
def test_bad_settings_are_one_sentence(cached_planets, override, said):
    grid = () if "grid" in override else ("grid={fusion: [cross_attention]}",)
    with pytest.raises(ConfigError, match=said):
        cells("rules=[]", *grid, override)


@pytest.mark.parametrize(
    ("fusion", "setting"),
    [
        ("only_spectra", "negatives=8"),
        ("only_text_descriptions", "graph.width=16"),
        ("only_climate_cubes", "temperature=0.5"),
    ],
)
def test_what_has_no_effect_is_refused(cached_planets, fusion, setting):
    key = setting.split("=")[0].split(".")[0]
    with pytest.raises(ConfigError, match=f"settings.model.{key} has no effect on {fusion}"):
        cells("rules=[]", f"grid={{fusion: [{fusion}]}}", f"settings.model.{setting}")


def test_another_set_is_refused(cached_planets, monkeypatch):
    one = cell()
    monkeypatch.setattr(sets, "open_set", lambda name: SimpleNamespace(name="mini_pathways"))

    with pytest.raises(ConfigError, match="mini_pathways: holds no planets"):
        HabitabilityTask(one)


def test_every_cell_survives_its_own_json(cached_planets):
    for each in cells("seeds=[0]"):
        assert Cell.model_validate(json.loads(each.model_dump_json())).key == each.key


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["cross_attention", "late", "only_climate_cubes"])
@pytest.mark.parametrize("check", families.CHECKS, ids=claim)
def test_the_family_conforms(cached_planets, fusion, check):
    check(FamilyUnderTest(cell(fusion)))


@pytest.mark.slow
def test_bf16_stays_close_to_fp32(cached_planets, whole, tmp_path):
    storage, one, _ = whole
    rough = cell("cross_attention", "training.precision=bf16")
    train_until(rough, Execution(), tmp_path, lambda report: None, 1.0)

    both = [[row["train/loss"] for row in losses(place, each)]
            for place, each in ((storage, one), (tmp_path, rough))]  # fmt: skip

    np.testing.assert_allclose(*both, rtol=0.03)
