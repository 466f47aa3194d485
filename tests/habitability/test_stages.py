"""Experts, then the fusion, then all jointly: who learns when, and by what."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.conformance import families
from assay.conformance.checks import claim
from assay.conformance.families import FamilyUnderTest
from assay.errors import ConfigError
from assay.habitability.data.batches import splits
from assay.habitability.data.modalities import MODALITIES
from assay.habitability.evaluation import told_by_experts
from assay.habitability.stages import EXPERTS, FUSION, JOINT, stages_of
from assay.habitability.task import HabitabilityTask
from assay.training.execution import Execution
from assay.training.loop import Training
from assay.training.schedule import require_one_warm_up
from tests.habitability import made
from tests.habitability.test_task import cells
from tests.training.test_loop import log

SCHEDULE = {"experts": 0.4, "fusion": 0.3}
STAGED = "settings.model.schedule={experts: 0.4, fusion: 0.3}"
BALANCED = {
    "fixed": "{method: fixed}",
    "curriculum": "{method: curriculum, ramps: {physics: {begin: 1, end: 8}}}",
    "plateau": "{method: plateau, patience: 1, smoothing: 0, threshold: 0}",
    "pcgrad": "{method: pcgrad}",
}


def cell_of(*overrides, fusion: str = "cross_attention"):
    (one,) = cells(
        f"grid={{fusion: [{fusion}]}}", "rules=[]", "seeds=[0]", "budget.steps=10",
        "settings.model.size=xs", "training.validations=10", *overrides,
    )  # fmt: skip
    return one


def training(directory, *overrides) -> Training:
    """The training of a cell, carried on from where it was left in the folder."""
    one = cell_of(*overrides)
    task = HabitabilityTask(one)
    return Training(task, one, task.data(), Execution(), directory, lambda row: None)


def state(one: Training) -> dict[str, torch.Tensor]:
    found = {f"model.{name}": value.clone() for name, value in one.model.state_dict().items()}
    return found | {f"ema.{k}": v.clone() for k, v in one.average.model.state_dict().items()}


def unequal(one, other) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def learning(model, stage) -> set[str]:
    """Let those learn who do in a stage; return their names."""
    model.zero_grad(set_to_none=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(stage.trainable(name))
    return {name for name, each in model.named_parameters() if each.requires_grad}


def reached(model) -> set[str]:
    return {name for name, each in model.named_parameters() if each.grad is not None}


def of_stages():
    return stages_of(made.model_settings(schedule=SCHEDULE).schedule)


@pytest.fixture(scope="module")
def model(corpus, averages):
    return made.model(corpus, averages, schedule=SCHEDULE)


@pytest.fixture(scope="module")
def others(planets):
    return splits(planets).train.batch(np.arange(40, 46))


def test_each_stage_reaches_those_who_learn_in_it_and_nobody_else(model, batch, others):
    experts, fusion, joint = of_stages()
    assert [experts.name, fusion.name, joint.name] == [EXPERTS, FUSION, JOINT]

    mine = learning(model, experts)
    model(batch, made.draws(batch), 3, None, alone=True).total.backward()
    assert reached(model) == mine
    assert {name.split(".")[0] for name in mine} == {"encoders", "experts"}

    for stage in (fusion, joint):
        mine = learning(model, stage)
        model(batch, made.draws(batch), 3, made.negatives(others, batch)).total.backward()
        assert reached(model) == mine
    frozen = {name for name, _ in model.named_parameters()} - mine
    assert {name.split(".")[0] for name in frozen} == {"experts"}
    assert not any(name.startswith("encoders.") for name in learning(model, fusion))


def test_an_expert_trains_one_encoder(model, batch):
    for modality in MODALITIES:
        mine = (f"encoders.{modality}.", f"experts.{modality}.")
        learning(model, of_stages()[0])

        found = model(batch, made.draws(batch), 3, None, alone=True)
        found.losses[f"experts/{modality}"].backward()

        assert reached(model) == {n for n, _ in model.named_parameters() if n.startswith(mine)}


def test_an_expert_hears_nothing_of_the_other_modalities(model, batch):
    other = replace(batch, spectra=batch.spectra + 1, planet_params=batch.planet_params - 1)

    with torch.no_grad():
        one, again = model.alone(batch), model.alone(other)

    alike = {
        name
        for name in MODALITIES
        if torch.equal(one[name].habitability.odds_BSK, again[name].habitability.odds_BSK)
    }
    assert alike == {*MODALITIES} - {"spectra", "planet_params"}
    assert {name: [*told.modalities] for name, told in one.items()} == {n: [n] for n in MODALITIES}


def test_experts_minimise_two_losses_by_their_weights(corpus, averages, batch):
    own = made.model(corpus, averages, schedule=SCHEDULE, weights={"reconstruction": 0.5})

    with torch.no_grad():
        found = own(batch, made.draws(batch), 3, None, alone=True)

    parts = found.parts
    for name in MODALITIES:
        told = [parts[f"experts/{name}/classification/{k}"]
                for k in ("habitability", "liquid_water", "environment")]  # fmt: skip
        rebuilt = [v for k, v in parts.items() if k.startswith(f"experts/{name}/reconstruction/")]
        assert len(rebuilt) == (2 if name == "bio_graphs" else 1)
        due = told[0] + 0.1 * (told[1] + told[2]) + 0.5 * torch.stack(rebuilt).mean()
        torch.testing.assert_close(found.losses[f"experts/{name}"], due)
    torch.testing.assert_close(found.total, torch.stack([*found.losses.values()]).sum())
    assert len(found.losses) == len(MODALITIES)


def test_the_graph_vae_minimises_all_that_is_its_own(model, batch):
    with torch.no_grad():
        found = model(batch, made.draws(batch), 3, None, alone=True)
        rest, degree = model.encoders["bio_graphs"].losses(batch, made.draws(batch), 3)

    assert torch.equal(found.parts["experts/bio_graphs/reconstruction/graph_vae"], rest + degree)


def test_a_step_of_experts_is_the_same_in_halves(model, planets, batch):
    train = splits(planets).train
    places = np.searchsorted(train.records, batch.record_ids.numpy())

    def parts(some):
        return model(some, made.draws(some), 3, None, alone=True).parts

    with torch.no_grad():
        whole = parts(batch)
        one, other = (parts(train.batch(half)) for half in np.array_split(places, 2))

    for name, value in whole.items():
        torch.testing.assert_close(
            (one[name] + other[name]) / 2, value, rtol=2e-4, atol=1e-5, msg=name
        )


def test_a_schedule_changes_nobodys_beginning(corpus, averages, model):
    torch.manual_seed(0)
    plain = made.model(corpus, averages).state_dict()
    staged = made.model(corpus, averages, schedule=SCHEDULE).state_dict()

    assert [name for name in plain if not torch.equal(plain[name], staged[name])] == []
    assert {name.split(".")[0] for name in staged.keys() - plain.keys()} == {"experts"}
    without = made.model(corpus, averages, schedule={"fusion": 0.3}).state_dict()
    assert without.keys() == plain.keys()


def test_experts_together_are_an_ensemble_of_those_whose_modality_is_there(model, planets):
    records = splits(planets).validation.first(6)
    batch = records.batch(np.arange(6))

    found = told_by_experts(model, records)

    with torch.no_grad():
        said = {k: told.habitability.chance_BK.mean(-1) for k, told in model.alone(batch).items()}
    for name, each in said.items():
        off = (batch.habitability_label - each).abs().mean()
        assert found[f"experts/{name}/mae"] == pytest.approx(float(off), abs=1e-6)
    rows = [
        sum(float(said[name][row]) for name in MODALITIES if batch.has(name)[row])
        / int(batch.presence[row].sum())
        for row in range(6)
    ]
    off = np.abs(batch.habitability_label.numpy() - rows).mean()
    assert found["mae"] == pytest.approx(off, abs=1e-6)
    assert {"r2", "ece", "experts/spectra/r2", "experts/spectra/ece"} <= found.keys()


def test_stages_have_the_shares_that_are_asked_for(cached_planets):
    def shares(schedule, fusion="late"):
        one = cell_of(f"settings.model.schedule={schedule}", fusion=fusion)
        return {stage.name: stage.share for stage in HabitabilityTask(one).stages()}

    assert shares(SCHEDULE) == pytest.approx({EXPERTS: 0.4, FUSION: 0.3, JOINT: 0.3})
    assert shares({"experts": 0.25}) == {EXPERTS: 0.25, JOINT: 0.75}
    assert shares({"fusion": 0.25}) == {FUSION: 0.25, JOINT: 0.75}
    assert shares("null") == {"train": 1.0}
    assert HabitabilityTask(cells()[-1]).stages() == ()


def test_a_cell_without_a_schedule_keeps_its_key(cached_planets):
    plain = cell_of()

    assert "schedule" not in plain.model_dump(mode="json")["settings"]["model"]
    assert cell_of("settings.model.schedule=null").key == plain.key
    assert cell_of(STAGED).key != plain.key
    assert type(plain).model_validate(cell_of(STAGED).model_dump(mode="json")) == cell_of(STAGED)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("settings.model.schedule={}",), "gives no stage a share"),
        (("settings.model.schedule={experts: 0.5, fusion: 0.5}",), "take the whole budget"),
        (("settings.model.schedule={expert: 0.5}",), "'experts'"),
        (("settings.model.schedule.fusion=-0.1",), "schedule.fusion"),
        (
            (STAGED, "settings.model.weights={classification: 0, reconstruction: 0}"),
            "experts learn by classification and reconstruction, whose weights are both 0",
        ),
    ],
)
def test_a_wrong_schedule_is_one_sentence(cached_planets, overrides, said):
    with pytest.raises(ConfigError, match=said):
        cell_of(*overrides)


@pytest.mark.parametrize("fusion", ["only_spectra", "training_mean"])
def test_where_nothing_is_joined_there_is_no_schedule(cached_planets, fusion):
    with pytest.raises(ConfigError, match="schedule"):
        cells(f"grid={{fusion: [{fusion}]}}", "rules=[]", STAGED)


def test_a_warm_up_in_steps_asks_for_one_stage(cached_planets):
    one = cell_of(STAGED, "training.schedule=constant", "training.warmup_steps=2")

    with pytest.raises(ConfigError, match="trains in 3 stages, each with a warm-up of its own"):
        require_one_warm_up(one, len(HabitabilityTask(one).stages()))


def test_what_stands_still_does_not_move_by_a_bit_nor_is_it_kept_in_mind(cached_planets, tmp_path):
    one = training(tmp_path, STAGED)
    moved, minded = [], []
    before = state(one)
    for until in (0.4, 0.7, 1.0):
        one.run(until)
        after = state(one)
        changed = {n for n in unequal(before, after) if n.startswith("model.")}
        moved.append({name.split(".")[1] for name in changed} - {"balance"})
        minded.append({name.split(".")[1] for name in one.optimizer.tensors()})
        before = after

    joining = {"fusion", "heads", "contrast", "climate"}
    assert moved == minded == [{"encoders", "experts"}, joining, {"encoders"} | joining]

    rows = log(tmp_path)
    of_experts, of_all = rows[:4], rows[4:]
    assert all("train/experts/spectra" in row and "val/experts/spectra/mae" in row
               and "train/classification" not in row for row in of_experts)  # fmt: skip
    assert not any("experts" in name for row in of_all for name in row)
    assert all({"val/mae", "val/r2", "val/loss"} <= row.keys() for row in rows)
    pulled = [any(name.startswith("val/share/") for name in row) for row in rows]
    assert pulled == [False] * 7 + [True] * 3
    assert {key.split("'")[1] for key in one.flops.flops} == {EXPERTS, FUSION, JOINT}


@pytest.mark.parametrize(
    "method",
    [
        "fixed",
        *(pytest.param(m, marks=pytest.mark.slow) for m in ("plateau", "curriculum", "pcgrad")),
    ],
)
def test_a_training_that_is_stopped_in_and_between_stages_ends_as_a_whole(
    cached_planets, tmp_path, method
):
    """In the experts' stage, at its end, in the fusion's and at its end; bit for bit."""
    given = (STAGED, f"settings.model.balancing={BALANCED[method]}", "training.validations=1")
    whole = training(tmp_path / "whole", *given)
    whole.run()

    for until in (0.2, 0.4, 0.5, 0.7, 1.0):
        part = training(tmp_path / "parts", *given)
        part.run(until)

    assert part.resumed == 4
    assert unequal(state(part), state(whole)) == []
    assert log(tmp_path / "parts") == log(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["curriculum", "plateau"])
def test_weights_that_change_with_time_are_resumed(cached_planets, tmp_path, method):
    """Without stages, too."""
    given = (f"settings.model.balancing={BALANCED[method]}", "training.validations=1")
    whole = training(tmp_path / "whole", *given)
    whole.run()

    for until in (0.3, 0.6, 1.0):
        part = training(tmp_path / "parts", *given)
        part.run(until)

    assert unequal(state(part), state(whole)) == []
    rows = log(tmp_path / "parts")
    assert rows == log(tmp_path / "whole")
    assert len({row["train/weight/physics"] for row in rows}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["cross_attention", "late"])
@pytest.mark.parametrize("check", families.CHECKS, ids=claim)
def test_a_schedule_conforms(cached_planets, fusion, check):
    check(FamilyUnderTest(cell_of(STAGED, "training.validations=1", fusion=fusion)))
