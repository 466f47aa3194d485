"""A network learns from two data sets: molecules and crystals, before or along."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.cell import load_suite
from assay.errors import ConfigError, DataError
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.data.crystals import CrystalBatch
from assay.generation.data.molecules import MoleculeBatch
from assay.generation.domain import CrystalDomain
from assay.generation.sources import SourceBatch
from assay.generation.space import JointSpace
from assay.generation.task import GenerationTask
from assay.runner import run_cell
from assay.store import sets
from assay.task import Stage
from assay.training.draws import Draws
from assay.training.execution import Execution
from assay.training.order import MixedRecords, order_of
from tests.generation.crystals import crystal_space, random_crystals
from tests.generation.molecules import random_atoms
from tests.test_cell import ROOT

STAGE = Stage("train")
TINY = (
    "budget={steps: 4}",
    "training={batch_size: 8, validations: 1}",
    "settings={network: {size: xs}, process: {steps: 3}, validation_molecules: 8, "
    "evaluation_samples: 6}",
)


def cell_of(suite_name: str, label: str, *overrides: str):
    rules = ("rules=[]",) if suite_name == "grid_mini" else ()
    suite = load_suite(ROOT / "sweeps" / f"{suite_name}.yaml", (*TINY, *rules, *overrides))
    cells = suite.cells(sets.open_set(suite.data).digest)
    return next(cell for cell in cells if cell.label == label)


def onto_crystals(label: str = "gnn-flow_matching", *overrides: str) -> GenerationTask:
    source = "settings.source={name: mini, when: along}"
    return GenerationTask(cell_of("grid_mini_crystals", label, source, *overrides))


def onto_molecules(label: str = "gnn-flow_matching", *overrides: str) -> GenerationTask:
    source = "settings.source={name: mini_crystals}"
    return GenerationTask(cell_of("grid_mini", label, source, *overrides))


def test_the_vocabulary_holds_the_elements_of_both(mini_crystals):
    task = onto_molecules()

    assert set(task.domain.vocabulary) == {*task.domain.own, *task.source.own}
    assert task.source.vocabulary == task.domain.vocabulary
    own = np.isin(task.domain.vocabulary, task.domain.own)
    assert (task.domain.prior_K[~own] == 0).all()
    assert (task.domain.prior_K[own] > 0).all()
    assert float(task.domain.prior_K.sum()) == pytest.approx(1.0)


def test_types_name_the_same_elements_as_without_a_source(mini_crystals):
    alone = GenerationTask(cell_of("grid_mini", "gnn-flow_matching"))
    joint = onto_molecules()
    for task in (alone, joint):
        batch = task.data().train.batch(np.arange(8))
        atoms = task.domain.clean(batch, Draws(0, 0, batch.record_ids), equivariant=True)
        numbers = np.asarray(task.domain.vocabulary)[atoms.types_BN.numpy()]
        expected = np.asarray(task.domain.own)[batch.types_BN.numpy()]
        mask = batch.mask_BN.numpy()
        assert np.array_equal(numbers[mask], expected[mask])
        assert (atoms.types_BN[~batch.mask_BN] == 0).all()


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_cell_learns_from_both_and_samples_its_own(mini_crystals, architecture, process):
    task = onto_crystals(f"{architecture}-{process}")
    torch.manual_seed(0)
    model, data = task.model(task.data()), task.data()
    (stage,) = task.stages()
    order = order_of(stage.records, 8, seed=0)
    batches = [stage.records.batch(order.indices(step)) for step in range(2)]

    losses = [task.loss(model, batch, stage, 0) for batch in batches]

    assert isinstance(batches[0], SourceBatch)
    assert isinstance(batches[0].inner, MoleculeBatch)
    assert isinstance(batches[1], CrystalBatch)
    assert "cell" in losses[1].parts
    assert "cell" not in losses[0].parts
    losses[0].total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    samples = task.sample(model, 6, lambda phase, done: None)
    assert set(samples.numbers.tolist()) <= set(task.domain.own)
    if (architecture, process) == ("gnn", "flow_matching"):
        assert set(task.evaluate(model, data, lambda phase, done: None)) >= {"cdvae/validity"}


def test_molecules_and_crystals_look_alike_to_a_network_but_for_cells():
    space = JointSpace(crystal_space())
    atoms, crystals = random_atoms((4, 6)), random_crystals((4, 6))

    free, periodic = space.place(atoms), space.place(crystals)

    assert free.shape[-1] == periodic.shape[-1] == space.place_features
    torch.testing.assert_close(free[..., :3], atoms.positions_BN3)
    assert (free[..., 3:] == 0).all()
    assert (periodic[..., :3] == 0).all()
    assert (space.pairs(atoms) == 0).all()
    torch.testing.assert_close(space.pairs(crystals), space.crystals.pairs(crystals))
    torch.testing.assert_close(space.vectors(atoms), space.free.vectors(atoms))
    torch.testing.assert_close(space.vectors(crystals), space.crystals.vectors(crystals))


def test_the_source_comes_first_for_its_share_of_the_budget(mini_crystals, tmp_path, monkeypatch):
    cell = cell_of(
        "grid_mini", "gnn-flow_matching", "settings.source={name: mini_crystals, share: 0.75}",
        "budget.steps=8",
    )  # fmt: skip
    seen = []
    loss = GenerationTask.loss

    def noting(self, model, batch, stage, step):
        seen.append((stage.name, type(batch).__name__))
        return loss(self, model, batch, stage, step)

    monkeypatch.setattr(GenerationTask, "loss", noting)
    result = run_cell(cell, Execution(), tmp_path, lambda report: None)

    assert seen == [("source", "SourceBatch")] * 6 + [("train", "MoleculeBatch")] * 2
    assert result.estimates["edm/validity"].n == 6


def test_along_with_the_source_is_the_same_for_any_micro_batch(mini_crystals):
    task = onto_crystals()
    torch.manual_seed(0)
    model, (stage,) = task.model(task.data()), task.stages()
    indices = order_of(stage.records, 24, seed=0).indices(0)
    whole = task.loss(model, stage.records.batch(indices), stage, 3).total

    parts = [
        task.loss(model, stage.records.batch(part), stage, 3).total for part in np.split(indices, 3)
    ]

    torch.testing.assert_close(torch.stack(parts).mean(), whole, rtol=1e-4, atol=1e-5)


def test_draws_of_the_source_are_not_those_of_the_cells_own_data(mini_crystals):
    task = onto_crystals()
    (stage,) = task.stages()
    source, own = stage.records.parts

    assert not np.intersect1d(
        source.batch(np.arange(8)).record_ids, own.batch(np.arange(8)).record_ids
    ).size
    assert task.workload(source.batch(np.arange(8)), 0) != task.workload(own.batch(np.arange(8)), 0)


def test_the_label_tells_the_two_apart(mini_crystals):
    task = onto_crystals(
        "gnn-flow_matching", "settings.conditions={properties: [density, data_set]}"
    )
    (stage,) = task.stages()
    source, own = (part.batch(np.arange(4)) for part in stage.records.parts)

    of_source, of_own = task._known_of(source), task._known_of(own)

    assert of_source.values_BC.tolist() == [[0.0, -1.0]] * 4
    assert of_source.known_BC.tolist() == [[False, True]] * 4
    assert of_own.values_BC[:, 1].tolist() == [1.0] * 4
    assert of_own.known_BC.all()


def test_a_number_of_records_is_that_of_the_own_data_set(mini_crystals):
    task = onto_crystals("gnn-flow_matching", "training.records=16")
    (stage,) = task.stages()
    source, own = stage.records.parts

    assert len(own) == 16
    assert len(source) > 16


def test_mixed_records_take_turns():
    class Part:
        def __init__(self, name, n):
            self.name, self.n, self.lengths = name, n, None

        def __len__(self):
            return self.n

        def batch(self, indices):
            assert ((indices >= 0) & (indices < self.n)).all()
            return self.name, sorted(indices.tolist())

    records = MixedRecords([Part("a", 6), Part("b", 10)])
    order = order_of(records, 2, seed=1)

    batches = [records.batch(order.indices(step)) for step in range(12)]

    assert [name for name, _ in batches] == ["a", "b"] * 6
    of_a = [row for name, rows in batches[:6] if name == "a" for row in rows]
    of_b = [row for name, rows in batches[:10] if name == "b" for row in rows]
    assert sorted(of_a) == list(range(6))
    assert sorted(of_b) == list(range(10))
    assert len(records) == 16


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("settings.source={name: mini_crystals}", "mini_crystals is the cell's own data set"),
        ("settings.source={name: mini_links}", "holds neither molecules nor crystals"),
        ("settings.source={name: mini, when: along, share: 0.2}", "share belongs to source.when"),
        ("settings.source={name: mini, share: 1}", "source.share"),
        ("settings.source={name: nowhere}", "nowhere"),
        ("settings.conditions.properties=[data_set]", "name the other in settings.source"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_one_sentence(mini_crystals, override, sentence):
    sets.prepare("mini_links")
    with pytest.raises(ConfigError, match=sentence):
        GenerationTask(cell_of("grid_mini_crystals", "gnn-flow_matching", override))


def test_molecules_have_no_structure_to_be_predicted(mini_crystals):
    with pytest.raises(ConfigError, match="structures are predicted of crystals"):
        onto_molecules("gnn-flow_matching", "settings.crystals.given=composition")


def test_a_source_of_other_content_is_refused(mini_crystals):
    wrong = f"settings.source={{name: mini, digest: '{'0' * 32}'}}"
    with pytest.raises(DataError, match="the cell was made for 0000"):
        GenerationTask(cell_of("grid_mini_crystals", "gnn-flow_matching", wrong))


def test_targets_of_the_test_split_are_those_without_a_source(mini_crystals):
    """Whatever elements another set has, which a network then has types of."""
    prepared = sets.open_packed("mini_crystals")
    numbers = prepared.arrays["numbers"].copy()
    record = int(prepared.split_indices("test")[0])
    numbers[prepared.arrays["offsets"][record]] = 94
    foreign = replace(prepared, arrays={**prepared.arrays, "numbers": numbers})
    domain = CrystalDomain(foreign, 1.0)
    alone = domain.test_records()

    domain.widen(tuple(sorted({*domain.own, 94})))

    assert 94 not in domain.own
    assert record not in alone
    assert np.array_equal(domain.test_records(), alone)
