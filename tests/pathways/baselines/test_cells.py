"""Cells of the suites of baselines: trained, resumed, cut into micro-batches, judged alike."""

import numpy as np
import pytest

from assay.cell import Cell, load_suite
from assay.pathways.catalog import MODELS
from assay.pathways.task import PathwaysTask
from assay.plan import plan_cells
from assay.result import Result, read_metrics
from assay.runner import cell_directory, run_cell, train_until
from assay.store import sets
from assay.training.execution import Execution
from tests.pathways.baselines.baseline import FLOORS, LEARNT
from tests.test_cell import ROOT

MINI = ROOT / "sweeps" / "pathways_mini_baselines.yaml"
TINY = (
    "budget={steps: 6}",
    "training.batch_size=8",
    "training.validations=1",
    "settings.evaluation_graphs=6",
    "settings.validation_graphs=6",
)


def quick(names: tuple[str, ...], *some: str) -> list:
    """Return the names, those that are not of `some` marked as slow."""
    return [name if name in some else pytest.param(name, marks=pytest.mark.slow) for name in names]


def cells(*overrides: str) -> dict[str, Cell]:
    suite = load_suite(MINI, (*TINY, *overrides))
    return {cell.label: cell for cell in suite.cells(sets.open_set("mini_pathways").digest)}


def run(cell: Cell, storage, **execution) -> Result:
    return run_cell(cell, Execution(**execution), storage, lambda report: None)


def rows(storage, cell: Cell) -> list[dict[str, float]]:
    """The log without its clock."""
    found = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


@pytest.mark.parametrize("suite", ["pathways_mini_baselines", "pathways_metacyc_baselines"])
def test_a_suite_has_every_baseline_and_every_floor(pathways, suite):
    found = load_suite(ROOT / "sweeps" / f"{suite}.yaml")

    assert set(found.grid["model"]) == set(MODELS)
    assert len(found.cells("0" * 16)) == len(MODELS) * len(found.seeds)


def test_the_suites_share_budget_and_training_with_those_of_the_graph_vae():
    for name in ("pathways_mini", "pathways_metacyc"):
        suite, baselines = (
            load_suite(ROOT / "sweeps" / f"{one}.yaml") for one in (name, f"{name}_baselines")
        )
        assert baselines.budget == suite.budget
        assert baselines.training == suite.training
        assert baselines.seeds == suite.seeds
        keys = {cell.key for cell in baselines.cells("0" * 16)}
        assert keys > {cell.key for cell in suite.cells("0" * 16)}, "nothing is trained twice"


def test_the_diffusion_is_looked_at_less_while_it_trains_and_is_trained_and_judged_as_all():
    suite = load_suite(ROOT / "sweeps" / "pathways_metacyc_baselines.yaml")
    of = {cell.label: cell for cell in suite.cells("0" * 16) if cell.seed == 0}
    diffusion, other = of["diffusion"], of["autoregressive"]

    looks = [
        cell.training.validations
        * cell.settings.validation_graphs
        * cell.settings.model.passes_a_sample
        for cell in (diffusion, other)
    ]
    assert looks[0] < 0.02 * diffusion.budget.samples * 3, "a step is three passes"
    same = {"training": {"validations": 5}, "settings": {"validation_graphs": 256}}
    for part in same:
        ours, theirs = (getattr(c, part).model_dump(exclude={"model"}) for c in (diffusion, other))
        assert ours | same[part] == theirs | same[part]


@pytest.mark.parametrize("name", quick(LEARNT, "vgae", "diffusion"))
def test_half_a_run_and_its_other_half_are_the_whole_bit_for_bit(pathways, tmp_path, name):
    cell = cells()[name]
    train_until(cell, Execution(), tmp_path / "whole", lambda report: None, 1.0)
    for fraction in (0.5, 1.0):
        train_until(cell, Execution(), tmp_path / "parts", lambda report: None, fraction)

    assert rows(tmp_path / "parts", cell) == rows(tmp_path / "whole", cell)
    assert {"val/loss", "val/mmd", "val/reversed_edge_auc"} <= rows(tmp_path / "whole", cell)[
        -1
    ].keys()


@pytest.mark.parametrize("name", quick(LEARNT, "diffusion"))
def test_a_baseline_is_judged_as_the_graph_vae_is(pathways, tmp_path, name):
    found = run(cells()[name], tmp_path).estimates

    assert {"mmd/spectrum", "validity/valid", "vun/novelty", "reconstruction/auc"} <= found.keys()
    assert found["validity/connected"].value == 1
    if name in ("vgae", "graphite"):
        assert found["reversed_edge/auc"].value == 0.5


@pytest.mark.parametrize("name", quick(LEARNT, "autoregressive"))
def test_halved_micro_batches_train_alike(pathways, tmp_path, name):
    cell = cells("training.validations=0")[name]
    for part, accumulation in (("whole", 1), ("halves", 2)):
        execution = Execution(accumulation=accumulation)
        train_until(cell, execution, tmp_path / part, lambda report: None, 1.0)

    losses = [[row["train/loss"] for row in rows(tmp_path / n, cell)] for n in ("whole", "halves")]
    np.testing.assert_allclose(*losses, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", quick(FLOORS, "rewired", "nearest"))
def test_a_floor_trains_nothing_and_is_judged_alike(pathways, tmp_path, name):
    cell = cells()[name]

    result = run(cell, tmp_path)

    assert (result.cost.parameters, result.cost.steps, result.cost.flops) == (0, 0, 0)
    assert {"mmd/spectrum", "reversed_edge/auc", "vun/novelty"} <= result.estimates.keys()
    assert (result.estimates["vun/novelty"].value == 0) == (name in ("copy_train", "nearest"))
    plan = plan_cells({"it": cell}, Execution(), lambda name: None)["it"]
    assert (plan.steps, plan.seconds) == (0, 0)


def test_a_floor_is_judged_by_the_protocol_of_models(pathways):
    found = {PathwaysTask.protocol_of(cell.model_dump()) for cell in cells().values()}
    assert len(found) == 1
