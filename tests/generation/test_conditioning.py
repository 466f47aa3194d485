"""Conditions reach the network, guidance exaggerates them, and samples are judged by them."""

import numpy as np
import pytest
import torch

from assay.cell import load_suite
from assay.errors import ConfigError
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.conditioning import Asking, shuffled_alike
from assay.generation.denoiser import Conditions, Prediction
from assay.generation.task import GenerationTask
from assay.reference import compute_reference
from assay.store import sets
from assay.task import Stage
from assay.training.draws import Draws
from tests.test_cell import ROOT

STAGE = Stage("train")
TINY = (
    "budget={steps: 4}",
    "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 40, "
    "evaluation_samples: 30}",
)


def task_of(suite_name: str, label: str, *overrides: str) -> GenerationTask:
    rules = ("rules=[]",) if suite_name == "grid_mini" else ()
    suite = load_suite(ROOT / "sweeps" / f"{suite_name}.yaml", (*TINY, *rules, *overrides))
    cells = suite.cells(sets.open_set(suite.data).digest)
    return GenerationTask(next(cell for cell in cells if cell.label == label))


def molecules(on: str, label: str = "gnn-flow_matching", *overrides: str) -> GenerationTask:
    return task_of("grid_mini", label, f"settings.conditions.properties={on}", *overrides)


def crystals(on: str, label: str = "gnn-flow_matching", *overrides: str) -> GenerationTask:
    return task_of("grid_mini_crystals", label, f"settings.conditions.properties={on}", *overrides)


class Saying:
    """A network whose outputs are 1 if nothing is asked, and else what is asked."""

    def __call__(self, atoms, time_B, previous, conditions=None) -> Prediction:
        said = 1.0 if conditions is None else float(conditions.values_BC[0, 0])
        return Prediction(torch.full((1, 2, 3), said), torch.full((1, 2, 5), -said))


@pytest.mark.parametrize(("guidance", "expected"), [(0.0, 1.0), (1.0, 3.0), (2.5, 6.0)])
def test_guidance_goes_from_the_open_to_the_asked_output_and_beyond(guidance, expected):
    asked = Conditions(torch.tensor([[3.0]]), torch.ones(1, 1, dtype=torch.bool))

    said = Asking(Saying(), asked, guidance)(None, None, None)

    torch.testing.assert_close(said.positions_BN3, torch.full((1, 2, 3), expected))
    torch.testing.assert_close(said.type_logits_BNK, torch.full((1, 2, 5), -expected))
    assert said.noise_BN3 is None


def test_nothing_asked_is_the_open_output_at_any_guidance():
    said = Asking(Saying(), None, 7.0)(None, None, None)

    torch.testing.assert_close(said.positions_BN3, torch.ones(1, 2, 3))


def test_a_network_is_told_values_of_unit_variance_over_the_training_split(mini):
    task = molecules("[logp, qed]")
    records = torch.from_numpy(task.domain.prepared.split_indices("train"))

    conditions = task.conditioning.of(records)

    known_B = conditions.known_BC.all(1)  # not every real molecule is valid as EDM sees it
    values_BC = conditions.values_BC[known_B]
    assert 0.9 < known_B.float().mean() < 1
    assert (conditions.values_BC[~known_B] == 0).all()
    torch.testing.assert_close(values_BC.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(values_BC.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)


def test_a_composition_counts_every_element(mini):
    task = molecules("[composition]")
    records = task.domain.records

    counts_RK = task.conditioning.properties[0].asked()

    assert np.array_equal(counts_RK.sum(1), records.n_atoms)
    for k, number in enumerate(task.domain.vocabulary):
        assert counts_RK[3, k] == (records.select([3]).numbers == number).sum()


def test_a_share_of_the_examples_is_left_open_the_same_at_every_call(mini):
    task = molecules("[logp]", "gnn-flow_matching", "settings.conditions.dropout=0.25")
    ids = torch.arange(4000) % len(task.domain.records)
    draws = [Draws(0, step, ids) for step in (1, 1, 2)]

    known = task.conditioning.of(ids)
    first, again, other = (task.conditioning.dropped(known, each).known_BC for each in draws)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 1 - first.float().mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_cell_learns_from_what_is_asked(mini, architecture, process):
    task = molecules("[composition, logp]", f"{architecture}-{process}")
    torch.manual_seed(0)
    model = task.model(task.data())
    with torch.no_grad():  # gates that begin at 0 would let nothing through
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))

    task.loss(model, task.data().train.batch(np.arange(8)), STAGE, 0).total.backward()

    gradient = model.context.conditions.weight.grad
    assert gradient.shape[1] == 2 * 6
    assert (gradient.abs().sum(0) > 0).sum() >= 10  # H C N O F and logp, their values and flags


def test_a_batch_split_among_workers_has_the_loss_of_the_whole(mini):
    task = molecules("[logp, composition]")
    torch.manual_seed(0)
    model, train, indices = task.model(task.data()), task.data().train, np.arange(24)

    whole = task.loss(model, train.batch(indices), STAGE, 3).total
    parts = [task.loss(model, train.batch(part), STAGE, 3).total for part in np.split(indices, 3)]

    torch.testing.assert_close(torch.stack(parts).mean(), whole, rtol=1e-4, atol=1e-5)


def test_antithetic_pairs_are_asked_for_the_same(mini, monkeypatch):
    task = molecules(
        "[logp]",
        "gnn-stochastic_interpolant",
        "grid.process=[stochastic_interpolant]",
        "settings.process.antithetic=true",
        "settings.conditions.dropout=0.5",
    )
    torch.manual_seed(0)
    model, seen = task.model(task.data()), []
    monkeypatch.setattr(
        model.context.conditions, "forward", lambda asked_BX: seen.append(asked_BX) or 0.0
    )

    batch = task.data().train.batch(np.arange(8))
    task.loss(model, batch, STAGE, 0)

    known = task.conditioning.of(batch.record_ids)
    for asked_BX in seen:
        assert torch.equal(asked_BX[:8], asked_BX[8:])
        kept = asked_BX[:8, 1] == 1
        assert torch.equal(asked_BX[:8][kept, 0], known.values_BC[kept, 0])
        assert 0 < kept.sum() < 8


def test_samples_are_judged_against_what_was_asked_and_against_two_controls(mini):
    task = molecules("[composition, qed]", "gnn-flow_matching", "settings.conditions.guidance=2.0")
    torch.manual_seed(0)
    model, seen = task.model(task.data()), []

    found = task.evaluate(model, task.data(), lambda phase, done: seen.append(done))

    targets = task.domain.records.select(task.targets(30))
    assert np.array_equal(task.samples.n_atoms, targets.n_atoms)
    assert found["edm/validity"].n == 30
    _, counts = np.unique(targets.n_atoms, return_counts=True)
    in_company = int(counts[counts > 1].sum())
    for suffix in ("", "_unconditional", "_shuffled"):
        of = found[f"conditions/composition_mae{suffix}"]
        assert of.n == (30 if suffix != "_shuffled" else in_company)
        assert of.low <= of.value <= of.high
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    cell = task.cell.model_dump(mode="json")
    assert task.protocol_of(cell) == "edm 1, held_out 2, symmetry 2, composition 1, qed 1 edm 1"
    assert task.evaluation_passes() == 30 * 4 * 3 / 1.5


def test_the_error_is_the_mean_distance_of_what_is_measured(mini):
    task = molecules("[composition]")
    records_M = task.targets(30)
    real = task.domain.records.select(records_M)
    counts_MK = task.conditioning.properties[0].of(real)

    exact = task.conditioning.judge(real, records_M, seed=0)["conditions/composition_mae"]
    turned = task.conditioning.judge(real, np.roll(records_M, 1), seed=0)

    assert (exact.value, exact.low, exact.high) == (0.0, 0.0, 0.0)
    expected = np.abs(counts_MK - np.roll(counts_MK, 1, axis=0)).sum(1).mean()
    assert turned["conditions/composition_mae"].value == pytest.approx(expected)


def test_the_datas_own_row_has_what_is_known_and_what_is_measured(mini):
    row = molecules("[logp, composition]").reference(None)

    assert row["conditions/logp_mae"].value == pytest.approx(0.0, abs=1e-6)
    assert row["conditions/composition_mae"].value == 0.0
    assert row["edm/validity"].value > 0.9


def test_crystals_are_asked_for_density_and_composition(mini_crystals):
    task = crystals("[density, composition]", "transformer-diffusion")
    torch.manual_seed(0)
    model = task.model(task.data())

    found = task.evaluate(model, task.data(), lambda phase, done: None)

    assert found["conditions/density_mae"].n == 30
    assert "cdvae/validity" in found
    assert task.reference(None)["conditions/density_mae"].value == pytest.approx(0.0, abs=1e-5)


def test_a_predicted_structure_may_be_asked_for_its_density(mini_crystals):
    task = crystals("[density]", "gnn-flow_matching", "settings.crystals.given=composition")
    torch.manual_seed(0)
    model = task.model(task.data())

    found = task.evaluate(model, task.data(), lambda phase, done: None)

    assert np.array_equal(
        task.samples.numbers, task.domain.records.select(task.targets(30)).numbers
    )
    assert {"csp/match_rate", "conditions/density_mae"} <= found.keys()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("settings.conditions.properties=[logP]", "unknown property 'logP'; did you mean 'logp'"),
        ("settings.conditions.properties=[qed, qed]", "names a property twice: qed, qed"),
        ("settings.conditions.dropout=0.2", "dropout belongs to conditions.properties"),
        ("settings.conditions={properties: [qed], dropout: 0}", "greater than 0"),
        ("settings.conditions={properties: [qed], dropout: 1}", "less than 1"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_sentence(mini, override, sentence):
    with pytest.raises(ConfigError, match=sentence):
        task_of("grid_mini", "gnn-flow_matching", override)


def test_what_is_given_already_cannot_be_asked_for(mini_crystals):
    with pytest.raises(ConfigError, match="leave the property composition out"):
        crystals("[composition]", "gnn-flow_matching", "settings.crystals.given=composition")


def test_shuffled_partners_are_others_of_the_same_size():
    sizes_M = np.array([5, 7, 5, 9, 7, 5, 7, 11, 7])

    places, others = shuffled_alike(sizes_M, seed=3)

    assert sorted(places.tolist()) == [0, 1, 2, 4, 5, 6, 8]
    assert sorted(others.tolist()) == sorted(places.tolist())
    assert (places != others).all()
    assert np.array_equal(sizes_M[places], sizes_M[others])
    assert shuffled_alike(np.array([3, 4]), seed=0)[0].size == 0


def test_the_row_of_another_number_of_samples_is_another(mini):
    cells = [
        molecules("[logp]", "gnn-flow_matching", f"settings.evaluation_samples={count}").cell
        for count in (20, 40)
    ]
    few, many = (compute_reference(cell) for cell in cells)

    assert few.provenance != many.provenance
    assert few.estimates["conditions/logp_mae"].n <= 20
    assert many.estimates["conditions/logp_mae"].n > 20


def test_a_property_of_other_data_is_refused_in_one_sentence(mini_crystals):
    with pytest.raises(ConfigError, match="logp is a property of molecules; mini_crystals holds"):
        crystals("[logp]")
    with pytest.raises(ConfigError, match="mini knows no gaps; name a set that does"):
        molecules("[gap]")
