import numpy as np
import pytest
import torch

from assay.cell import load_suite
from assay.chemistry.formats import read_molecules
from assay.errors import ConfigError
from assay.generation import held_out, sampling, symmetry
from assay.generation.distributions import Distributions
from assay.generation.metrics.protocol import sub_sample
from assay.generation.task import GenerationTask
from assay.result import read_settings
from assay.store import sets
from assay.task import Stage
from assay.training.draws import Draws
from tests.test_cell import ROOT

STAGE = Stage("train")
TINY = (
    "budget={steps: 4}",
    "settings={network: {size: xs}, process: {steps: 5}, validation_molecules: 40, "
    "evaluation_samples: 30}",
    "rules=[]",
)


@pytest.fixture(params=["gnn-flow_matching", "transformer-diffusion"])
def task(request, mini) -> GenerationTask:
    cells = load_suite(ROOT / "sweeps" / "grid_mini.yaml", TINY).cells(sets.open_set("mini").digest)
    return GenerationTask(next(cell for cell in cells if cell.label == request.param))


@pytest.fixture
def model(task):
    torch.manual_seed(0)
    return task.model(task.data())


def test_a_batch_split_among_workers_has_the_loss_of_the_whole(task, model):
    """Every worker's part is padded less, and still sees the same draws."""
    train, indices = task.data().train, np.arange(24)

    whole = task.loss(model, train.batch(indices), STAGE, 3).total
    parts = [task.loss(model, train.batch(part), STAGE, 3).total for part in np.split(indices, 3)]

    torch.testing.assert_close(torch.stack(parts).mean(), whole, rtol=1e-4, atol=1e-5)


def test_the_parts_of_the_loss_add_up(task, model):
    loss = task.loss(model, task.data().train.batch(np.arange(8)), STAGE, 0)

    expected = loss.parts["positions"] + 0.2 * loss.parts["types"]
    torch.testing.assert_close(loss.total, expected)


def test_a_step_conditions_on_itself_half_of_the_time(task):
    first_passes = [task._conditions_on_itself(step) for step in range(2000)]

    assert np.mean(first_passes) == pytest.approx(0.5, abs=0.05)


def test_workloads_name_what_decides_the_flops(task):
    batch = task.data().train.batch(np.arange(8))
    workloads = {task.workload(batch, step) for step in range(20)}

    shape = ("MoleculeBatch", *batch.types_BN.shape)
    assert workloads == {(True, shape), (False, shape)}


def test_validation_is_the_same_at_every_call(task, model):
    data = task.data()

    first, again = (task.validate(model, data, STAGE) for _ in range(2))

    assert first == again
    assert set(first) == {"loss", "positions", "types"}


def test_what_is_measured_without_samples_is_measured_all_over_a_split(task, model, monkeypatch):
    """Records lie in the order of their sizes: the first would be the smallest."""
    seen = []

    def listening(module, function):
        def call(*given):
            (draws,) = (each for each in given if isinstance(each, Draws))
            seen.append(draws.record_ids)
            return function(*given)

        monkeypatch.setattr(module, function.__name__, call)

    listening(held_out, held_out.relative_errors)
    listening(symmetry, symmetry.symmetry_error)
    monkeypatch.setattr(held_out, "SYSTEMS", 20)
    monkeypatch.setattr(symmetry, "SYSTEMS", 12)
    data = task.data()
    task._held_out(model, data)
    task._symmetry(model, data)

    unpaired = [(data.test, 20)] if task.process.coupling != "independent" else []
    looked_at = [(data.test, 20), (data.validation, 20), *unpaired, (data.validation, 12)]
    for record_ids, (records, most) in zip(seen, looked_at, strict=True):
        places = sub_sample(len(records), most, seed=0)
        assert torch.equal(record_ids, records.batch(places).record_ids)
        assert places[-1] > len(records) / 2


def test_samples_are_molecules_in_angstrom_of_the_training_sizes(task, model, tmp_path):
    seen = []
    estimates = task.evaluate(model, task.data(), lambda phase, done: seen.append(done))
    task.artifacts(model, task.data(), tmp_path)

    described = read_settings(Distributions, tmp_path / "distributions.json")
    assert [each.name for each in described.histograms] == ["atoms", "weight", "logp"]
    for each in described.histograms:
        assert each.samples.known + each.samples.unknown == 30
        real = each.reference.known + each.reference.unknown
        assert real == len(task.domain.reference.of("test"))
    assert (tmp_path / "distributions.json").stat().st_size < 10_000
    samples, rejected = read_molecules(tmp_path / "samples.npz")
    sizes = set(np.unique(task.domain.prepared.train_lengths))
    assert len(samples) + len(rejected) == 30
    assert set(samples.n_atoms) <= sizes
    assert set(np.unique(samples.numbers)) <= {1, 6, 7, 8, 9}
    assert estimates["edm/validity"].n == 30
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_an_evaluation_says_how_symmetric_the_network_is(task, model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))

    found = task.evaluate(model, task.data(), lambda phase, done: None)

    error = found["symmetry/positions_error"]
    assert error.n == 64
    assert error.low <= error.value <= error.high
    assert (error.value < 1e-4) == model.equivariant


def test_a_sample_depends_on_its_number_not_on_how_many_there_are(task, model):
    few = task.sample(model, 5, lambda phase, done: None)
    many = task.sample(model, 12, lambda phase, done: None)

    for k in range(5):
        a, b = few.select([k]), many.select([k])
        assert np.array_equal(a.n_atoms, b.n_atoms)
        np.testing.assert_allclose(a.positions, b.positions, atol=2e-2)


def test_batches_that_are_drawn_side_by_side_are_the_same_samples(
    task, model, monkeypatch, request
):
    monkeypatch.setattr(sampling, "SAMPLING_BATCH", 3)
    alone = task.sample(model, 8, lambda phase, done: None)
    heard = []
    request.getfixturevalue("two_threads")
    beside = task.sample(model, 8, lambda phase, done: heard.append((phase, done)))

    assert np.array_equal(alone.n_atoms, beside.n_atoms)
    assert np.array_equal(alone.numbers, beside.numbers)
    np.testing.assert_allclose(alone.positions, beside.positions, atol=1e-5)
    assert heard[-1] == ("sample", 1.0)


@pytest.mark.parametrize("fewest", [1, 8])
def test_how_systems_are_gathered_changes_no_sample(fewest, task, model, monkeypatch):
    monkeypatch.setattr(sampling, "FEWEST", 12)
    together = task.sample(model, 12, lambda phase, done: None)
    monkeypatch.setattr(sampling, "FEWEST", fewest)
    apart = task.sample(model, 12, lambda phase, done: None)

    assert np.array_equal(together.n_atoms, apart.n_atoms)
    assert np.array_equal(together.numbers, apart.numbers)
    np.testing.assert_allclose(together.positions, apart.positions, atol=1e-4)


def test_the_data_row_is_scored_by_the_same_code(task):
    estimates = task.reference(task.data())

    assert estimates["edm/validity"].n == len(task.data().test)
    assert estimates["edm/atom_stability"].value > 0.9


def test_a_set_without_molecules_is_refused_in_one_sentence(mini):
    sets.prepare("mini_links")
    suite = load_suite(ROOT / "sweeps" / "grid_mini.yaml", ("data=mini_links",))
    (cell, *_) = suite.cells(sets.open_set("mini_links").digest)
    with pytest.raises(ConfigError, match="mini_links: holds no molecules in space"):
        GenerationTask(cell)
