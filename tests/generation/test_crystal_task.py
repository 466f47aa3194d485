"""The family on crystals, and what only they have."""

import numpy as np
import pytest
import torch

from assay.cell import load_suite
from assay.chemistry.crystal_formats import read_crystals
from assay.chemistry.npz import load_crystals
from assay.errors import ConfigError
from assay.generation.distributions import Distributions
from assay.generation.task import GenerationTask
from assay.result import read_settings
from assay.store import sets
from assay.task import Stage
from tests.test_cell import ROOT

STAGE = Stage("train")
TINY = (
    "budget={steps: 4}",
    "settings={network: {size: xs}, process: {steps: 5}, validation_molecules: 40, "
    "evaluation_samples: 30}",
)


def task_of(label: str, *overrides: str) -> GenerationTask:
    suite = load_suite(ROOT / "sweeps" / "grid_mini_crystals.yaml", (*TINY, *overrides))
    cells = suite.cells(sets.open_set(suite.data).digest)
    return GenerationTask(next(cell for cell in cells if cell.label == label))


@pytest.fixture(params=["gnn-flow_matching", "transformer-diffusion"])
def task(request, mini_crystals) -> GenerationTask:
    return task_of(request.param)


@pytest.fixture
def model(task):
    torch.manual_seed(0)
    return task.model(task.data())


def test_a_batch_split_among_workers_has_the_loss_of_the_whole(task, model):
    train, indices = task.data().train, np.arange(24)

    whole = task.loss(model, train.batch(indices), STAGE, 3).total
    parts = [task.loss(model, train.batch(part), STAGE, 3).total for part in np.split(indices, 3)]

    torch.testing.assert_close(torch.stack(parts).mean(), whole, rtol=1e-4, atol=1e-5)


def test_the_parts_of_the_loss_add_up(task, model):
    loss = task.loss(model, task.data().train.batch(np.arange(8)), STAGE, 0)

    parts = loss.parts
    torch.testing.assert_close(
        loss.total, parts["positions"] + 0.2 * parts["types"] + parts["cell"]
    )


def test_cells_of_the_training_split_have_zero_mean_and_unit_variance(task):
    train = task.data().train
    batch = train.batch(np.arange(len(train)))

    cell_B6 = task.domain.space.standardised(batch.lattices_B33, batch.n_atoms_B)

    torch.testing.assert_close(cell_B6.mean(0), torch.zeros(6), atol=1e-2, rtol=0)
    spread_6 = cell_B6.std(0)
    alike = spread_6 < 0.5  # where all cells of the set agree
    torch.testing.assert_close(spread_6[~alike], torch.ones(int((~alike).sum())), atol=0.02, rtol=0)


def test_crystals_are_written_as_extended_xyz_with_their_lattices(mini_crystals, tmp_path):
    domain = task_of("gnn-flow_matching").domain
    some = domain.records.select(np.arange(0, 1200, 100))
    for name in ("some.xyz", "some.extxyz"):
        domain.write(tmp_path / name, some)
        found, rejected = read_crystals(tmp_path / name)

        assert rejected == []
        np.testing.assert_array_equal(found.n_atoms, some.n_atoms)
        np.testing.assert_array_equal(found.numbers, some.numbers)
        np.testing.assert_array_equal(found.lattices, some.lattices)
        apart = (found.frac_coords - some.frac_coords + 0.5) % 1 - 0.5
        np.testing.assert_allclose(apart, 0, atol=1e-6)


def test_samples_are_crystals_of_known_elements_and_are_scored(task, model, tmp_path):
    estimates = task.evaluate(model, task.data(), lambda phase, fraction: None)
    task.artifacts(model, task.data(), tmp_path)

    assert task.protocol_of(task.cell.model_dump(mode="json")) == "cdvae 1, held_out 2, symmetry 2"
    assert {"cdvae/structural_validity", "cdvae/cov_recall"} <= estimates.keys()
    assert estimates["cdvae/validity"].n == 30
    described = read_settings(Distributions, tmp_path / "distributions.json")
    assert [each.name for each in described.histograms] == ["atoms", "density", "elements"]
    assert [each.samples.known for each in described.histograms] == [30, 30, 30]
    written = load_crystals(tmp_path / "samples.npz")
    assert len(written) == 30
    assert set(written.numbers.tolist()) <= set(task.domain.vocabulary)
    assert (written.volumes > 0).all()
    assert ((written.frac_coords >= 0) & (written.frac_coords < 1)).all()


def test_real_crystals_score_well_by_the_same_code(mini_crystals):
    row = task_of("gnn-flow_matching").reference(None)

    assert row["cdvae/structural_validity"].value == 1.0
    assert row["cdvae/compositional_validity"].value > 0.9


@pytest.mark.parametrize(
    ("label", "override", "sentence"),
    [
        ("gnn-flow_matching", "settings.process.path=trigonometric", "straight line"),
        ("gnn-flow_matching", "settings.process.coupling=rotation", "no orientation"),
        (
            "gnn-stochastic_interpolant",
            "settings.process={interpolant: one_sided, coupling: independent}",
            "needs a Gaussian base",
        ),
    ],
)
def test_what_a_torus_cannot_do_is_refused_in_one_sentence(
    mini_crystals, label, override, sentence
):
    with pytest.raises(ConfigError, match=sentence):
        task_of(label, f"grid.process=[{label.partition('-')[2]}]", override)


def test_settings_of_crystals_are_refused_for_molecules(mini):
    suite = load_suite(
        ROOT / "sweeps" / "grid_mini.yaml",
        (*TINY, "rules=[]", "settings.crystals.cell_weight=2.0"),
    )
    cell = suite.cells(sets.open_set("mini").digest)[0]

    with pytest.raises(ConfigError, match=r"settings\.crystals: mini holds molecules"):
        GenerationTask(cell)


def test_a_structure_is_predicted_for_every_composition_of_the_test_split(mini_crystals):
    task = task_of("gnn-flow_matching", "settings.crystals.given=composition")
    torch.manual_seed(0)
    model = task.model(task.data())
    loss = task.loss(model, task.data().train.batch(np.arange(8)), STAGE, 0)

    estimates = task.evaluate(model, task.data(), lambda phase, fraction: None)

    assert set(loss.parts) == {"positions", "types", "cell"}
    assert (
        task.protocol_of(task.cell.model_dump(mode="json"))
        == "csp 1 (cdvae 1), held_out 2, symmetry 2"
    )
    assert estimates["csp/match_rate"].n == 30
    targets = task.domain.records.select(task.targets(30))
    assert np.array_equal(task.samples.numbers, targets.numbers)
    assert np.array_equal(task.samples.n_atoms, targets.n_atoms)
    assert task.reference(None)["csp/match_rate"].value > 0.9
