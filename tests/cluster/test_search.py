"""A search is reproducible, resumable, and does nothing twice; on a toy family, one at a time."""

import json

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from ray.exceptions import ObjectLostError, ObjectStoreFullError, RayError
from ray.tune.error import TuneError
from sqlalchemy.exc import OperationalError

from assay.cell import Suite
from assay.cluster import search_tune
from assay.cluster.orders import Orders
from assay.cluster.progress import Board
from assay.cluster.search_trial import SearchOrders, blame
from assay.cluster.search_tune import run_study
from assay.cluster.stopping import VALUE
from assay.cluster.study import Database
from assay.cluster.trials import cluster_stays
from assay.errors import (
    AssayError,
    ConfigError,
    MachineError,
    MemoryShortageError,
    TrainingError,
)
from assay.resources import Resources
from assay.result import read_metrics
from assay.runner import cell_directory, finished, run_cell, train_until
from assay.search import StudyRecord
from assay.task import Estimate
from assay.tracking import Destination
from assay.training.execution import Execution
from tests.cluster.searching import DIGEST, LOSS, SPACE, Killed, line_suite, open_study, play, run
from tests.training.toy import ToyTask

ASHA = {"asha": {"grace": 0.2, "reduction": 2}}
MEDIAN = {"median": {"grace": 0.2, "looks": 5, "least": 2}}


@pytest.fixture(autouse=True)
def _played(monkeypatch):
    play(monkeypatch)


def course(found: StudyRecord) -> list:
    """What a search proposed, saw and decided."""
    return [(t.values, t.state, t.objectives, t.rungs, t.reason) for t in found.trials]


def states(suite: Suite, storage) -> list[TrialState]:
    return [trial.state for trial in open_study(suite, storage).trials]


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2", "random", "grid"])
def test_the_same_seed_searches_the_same_way(algorithm, tmp_path):
    space = SPACE
    if algorithm == "grid":
        space = {"training.learning_rate": {"choice": [0.001, 0.1]}, **_width()}
    extra = {"tpe": {"startup": 3}, "nsga2": {"population": 3}}.get(algorithm, {})
    search = {"algorithm": algorithm, "trials": 6, "space": space, **extra}

    first = run(line_suite(search, seeds=[0]), tmp_path / "a")
    again = run(line_suite(search, seeds=[0]), tmp_path / "b")
    other = run(line_suite({**search, "seed": 7}, seeds=[0]), tmp_path / "c")

    assert course(first) == course(again)
    assert [t.values for t in first.trials] != [t.values for t in other.trials]
    assert all(t.state == "complete" for t in first.trials)


def _width():
    return {"settings.width": SPACE["settings.width"]}


@pytest.mark.parametrize(
    ("algorithm", "scheduler"),
    [
        pytest.param("tpe", ASHA, id="tpe-asha"),
        pytest.param("nsga2", None, id="nsga2"),
        pytest.param("tpe", None, id="tpe", marks=pytest.mark.slow),
        pytest.param("random", ASHA, id="random-asha", marks=pytest.mark.slow),
        pytest.param("random", MEDIAN, id="random-median", marks=pytest.mark.slow),
    ],
)
def test_a_search_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    algorithm, scheduler, tmp_path
):
    extra = {"tpe": {"startup": 3}, "nsga2": {"population": 3}}.get(algorithm, {})
    search = {"algorithm": algorithm, "trials": 6, "scheduler": scheduler, **extra}
    suite = line_suite(search)
    undisturbed = run(suite, tmp_path / "whole")

    kills, reports = 0, 0

    def kill(number, row):
        nonlocal reports
        reports += 1
        return reports > 3 + 3 * kills  # later and later, so that it comes to an end

    found = None
    while found is None:
        try:
            reports = 0
            found = run(suite, tmp_path / "killed", kill=kill)
        except Killed:
            kills += 1

    assert kills >= 3
    assert course(found) == course(undisturbed)
    assert len(found.trials) == 6
    assert TrialState.RUNNING not in states(suite, tmp_path / "killed")


def test_a_driver_that_dies_leaves_its_trial_to_the_next_one(tmp_path):
    suite = line_suite({"trials": 2, "scheduler": ASHA})
    with pytest.raises(Killed):
        run(suite, tmp_path, kill=lambda number, row: number == 1 and VALUE in row)
    rdb = Database(None, tmp_path).rdb
    (study_id,) = [study._study_id for study in rdb.get_all_studies()]
    left = rdb.get_all_trials(study_id)
    assert [trial.state for trial in left] == [TrialState.COMPLETE, TrialState.RUNNING]

    study = open_study(suite, tmp_path)
    assert study.trials[1].state == TrialState.WAITING
    assert study.left == 1
    proposal = study.propose()
    assert proposal is not None
    assert proposal.number == 1
    assert study.trials[1].params == left[1].params
    assert [cell.key for cell in proposal.cells] == list(left[1].user_attrs["cells"].values())


def test_a_trial_whose_driver_died_between_two_parameters_becomes_what_it_would_have_been(
    tmp_path,
):
    suite = line_suite({"trials": 1})
    undisturbed = open_study(suite, tmp_path / "whole")
    assert undisturbed.propose() is not None

    study = open_study(suite, tmp_path / "torn")
    trial = study.study.ask()  # nothing is drawn yet
    trial.suggest_categorical("settings.width", [2, 4, 8])
    resumed = open_study(suite, tmp_path / "torn")
    assert resumed.propose() is not None

    assert resumed.trials[0].params == undisturbed.trials[0].params


def test_the_objective_is_the_mean_over_the_seeds_with_its_interval(tmp_path):
    suite = line_suite({"trials": 1}, seeds=[0, 1, 2])
    (trial,) = run(suite, tmp_path).trials

    over = trial.objectives["val/loss"]
    last = [
        read_metrics(cell_directory(tmp_path, key) / "metrics.jsonl")[-1]["val/loss"]
        for key in trial.cells.values()
    ]
    assert list(over.by_seed.values()) == last
    assert list(over.by_seed) == ["0", "1", "2"]
    assert over.mean == pytest.approx(sum(last) / 3)
    assert over.low < over.mean < over.high
    assert trial.spent.steps == 3 * 10


def test_the_protocols_metric_can_be_the_objective_and_the_loss_be_watched(tmp_path):
    watched = {"asha": {**ASHA["asha"], **LOSS}}
    objectives = [{"metric": "toy/mse", "better": "lower"}]
    suite = line_suite({"trials": 4, "objectives": objectives, "scheduler": watched})

    found = run(suite, tmp_path)

    best = found.trials[found.best[0]]
    key = best.cells["0"]
    assert best.objectives["toy/mse"].by_seed["0"] == (
        finished(tmp_path, key).estimates["toy/mse"].value
    )
    assert all(trial.rungs for trial in found.trials)


@pytest.mark.parametrize(
    ("objective", "sentence"),
    [
        ({"metric": "toy/msee", "better": "lower"}, r"no 'toy/msee'; did you mean 'toy/mse'\?"),
        ({"metric": "val/los", "better": "lower"}, r"no 'val/los' in training; did you mean"),
        ({"metric": "toy/mse", "better": "higher"}, "toy/mse is better when lower"),
    ],
)
def test_an_objective_that_is_not_reported_ends_the_search_at_its_first_trial(
    objective, sentence, tmp_path
):
    suite = line_suite({"trials": 3, "objectives": [objective]})
    with pytest.raises(ConfigError, match=sentence):
        run(suite, tmp_path)
    assert len(states(suite, tmp_path)) == 1


def test_a_setting_that_is_met_twice_is_computed_once(tmp_path, monkeypatch):
    suite = line_suite({"trials": 8, "space": _width(), "scheduler": ASHA})
    steps = 0
    loss = ToyTask.loss

    def counted(self, *args):
        nonlocal steps
        steps += 1
        return loss(self, *args)

    monkeypatch.setattr(ToyTask, "loss", counted)
    found = run(suite, tmp_path)

    assert len(found.trials) == 8
    assert len({tuple(trial.cells.values()) for trial in found.trials}) <= 3
    assert steps <= 3 * 2 * 10
    by_cells = {}
    for trial in found.trials:
        seen = by_cells.setdefault(tuple(trial.cells.values()), {})
        assert all(seen.setdefault(at, value) == value for at, value in trial.rungs.items())


def test_asha_stops_the_worse_half_at_our_own_step_and_leaves_its_cells_resumable(tmp_path):
    space = {"training.learning_rate": {"choice": [0.03, 1e-6]}}
    search = {"algorithm": "grid", "space": space, "scheduler": ASHA, "seed": 1}
    found = run(line_suite(search), tmp_path)

    stopped = [trial for trial in found.trials if trial.state == "stopped"]
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert found.trials[0].state == "complete", "the grid's order has changed"
    (trial,) = stopped
    assert trial.values["training.learning_rate"] == 1e-6
    assert complete[0].values["training.learning_rate"] == 0.03
    assert trial.reason == "asha at 20 %"
    assert list(trial.rungs) == ["20"]
    for key in trial.cells.values():
        directory = cell_directory(tmp_path, key)
        assert finished(tmp_path, key) is None
        assert (directory / "checkpoints" / "step-000000002").exists()
    assert trial.spent.steps == 2 * 2


def test_asha_stops_by_the_figure_that_it_is_told_where_there_are_several_objectives(tmp_path):
    space = {"training.learning_rate": {"choice": [0.03, 1e-6]}}
    objectives = [{"metric": "toy/mse", "better": "lower"}, LOSS]
    asha = {"asha": {**ASHA["asha"], **LOSS}}
    search = {"algorithm": "grid", "space": space, "scheduler": asha, "seed": 1}
    found = run(line_suite({**search, "objectives": objectives}), tmp_path)

    assert [trial.state for trial in found.trials] == ["complete", "stopped"]
    assert found.best == [0]
    assert list(found.trials[1].rungs) == ["20"]
    assert found.trials[1].objectives == {}


def test_the_median_rule_stops_who_is_worse_than_the_others(tmp_path):
    space = {"training.learning_rate": {"choice": [0.03, 0.02, 1e-6, 0.01]}}
    search = {"algorithm": "grid", "space": space, "scheduler": MEDIAN, "seed": 3}
    found = run(line_suite(search, seeds=[0]), tmp_path)
    last = found.trials[-1]
    assert last.values["training.learning_rate"] == 1e-6, "the grid's order has changed"
    assert (last.state, last.reason) == ("stopped", "median at 20 %")


@pytest.fixture
def _told_by_width(monkeypatch):
    """The family is judged by its width alone, once it is trained."""

    def width(self, model, data, progress):
        size = self.cell.settings.width
        known = {"low": size, "high": size, "n": 1, "version": "1", "better": "lower"}
        return {"toy/width": Estimate(value=size, **known)}

    monkeypatch.setattr(ToyTask, "evaluate", width)


TWO = [LOSS, {"metric": "toy/width", "better": "lower"}]


def front(found: StudyRecord) -> list[int]:
    """The complete trials than which none is as good in all and better in one, by hand."""
    points = {
        t.number: [o.mean for o in t.objectives.values()]
        for t in found.trials
        if t.state == "complete"
    }
    return [
        number
        for number, here in points.items()
        if not any(
            there != here and all(a <= b for a, b in zip(there, here, strict=True))
            for there in points.values()
        )
    ]


@pytest.mark.usefixtures("_told_by_width")
def test_nsga2_finds_the_front_of_two_objectives(tmp_path):
    search = {"algorithm": "nsga2", "trials": 9, "population": 3, "objectives": TWO}
    found = run(line_suite(search, seeds=[0]), tmp_path)

    assert found.best == front(found)
    assert 1 < len(found.best) < 9


@pytest.mark.usefixtures("_told_by_width")
def test_nsga2_goes_on_from_those_that_asha_left_of_two_objectives(tmp_path):
    asha = {"asha": {"grace": 0.5, "reduction": 2, **LOSS}}
    search = {"algorithm": "nsga2", "trials": 9, "population": 3, "objectives": TWO}
    found = run(line_suite({**search, "scheduler": asha}, seeds=[0]), tmp_path / "a")
    again = run(line_suite({**search, "scheduler": asha}, seeds=[0]), tmp_path / "b")

    stopped = [trial for trial in found.trials if trial.state == "stopped"]
    assert len(found.trials) == 9
    assert 0 < len(stopped) < 6, "a generation and a half at least is complete"
    assert {trial.reason for trial in stopped} == {"asha at 50 %"}
    assert all(trial.objectives == {} for trial in stopped)
    assert found.best == front(found)
    assert course(found) == course(again)


def test_a_setting_that_diverges_fails_and_the_search_goes_on(tmp_path):
    space = {"training.learning_rate": {"choice": [0.03, 1e30]}}
    suite = line_suite({"algorithm": "grid", "space": space})
    found = run(suite, tmp_path)

    by_rate = {trial.values["training.learning_rate"]: trial for trial in found.trials}
    assert by_rate[0.03].state == "complete"
    assert by_rate[1e30].state == "failed"
    assert "not finite" in by_rate[1e30].reason
    assert found.best == [by_rate[0.03].number]
    failure = cell_directory(tmp_path, by_rate[1e30].cells["0"]) / "failure.json"
    assert json.loads(failure.read_text())["kind"] == "not_finite"


def test_a_fault_that_no_setting_is_to_blame_for_ends_the_search_and_loses_no_trial(
    tmp_path, monkeypatch
):
    suite = line_suite({"trials": 3})
    evaluate = ToyTask.evaluate

    def full(self, *args):
        raise MachineError("no space left")

    monkeypatch.setattr(ToyTask, "evaluate", full)
    with pytest.raises(AssayError, match="no space left"):
        run(suite, tmp_path)
    assert states(suite, tmp_path) == [TrialState.WAITING]

    monkeypatch.setattr(ToyTask, "evaluate", evaluate)
    found = run(suite, tmp_path)
    assert [trial.state for trial in found.trials] == ["complete"] * 3


def test_more_trials_go_on_in_the_same_study(tmp_path):
    first = run(line_suite({"trials": 3}), tmp_path)
    more = run(line_suite({"trials": 5}), tmp_path)
    assert more.name == first.name
    assert course(more)[:3] == course(first)
    assert len(more.trials) == 5


def test_fresh_begins_anew_and_keeps_the_old_study_and_its_cells(tmp_path):
    suite = line_suite({"trials": 2})
    first = run(suite, tmp_path)
    before = {path.name for path in (tmp_path / "cells").iterdir() if path.is_dir()}

    again = run(suite, tmp_path, fresh=True)

    assert course(again) == course(first)
    names = [study.study_name for study in Database(None, tmp_path).rdb.get_all_studies()]
    assert sorted(names)[0] == first.name
    assert sorted(names)[1].startswith(f"{first.name} until 2")
    folders = {path.name for path in (tmp_path / "cells").iterdir() if path.is_dir()}
    assert before < folders
    assert len(folders) == 2 * len(before)


def test_a_fresh_search_that_was_killed_goes_on_without_computing_its_own_cells_again(tmp_path):
    suite = line_suite({"trials": 3})
    run(suite, tmp_path)
    with pytest.raises(Killed):
        run(suite, tmp_path, fresh=True, kill=lambda number, row: number == 1)

    found = run(suite, tmp_path)

    aside = [path.name for path in (tmp_path / "cells").glob("*.2*") if path.is_dir()]
    assert len(found.trials) == 3
    assert len(aside) == len({name.partition(".")[0] for name in aside}) == 6


def test_a_database_that_goes_away_ends_the_search_with_a_sentence(tmp_path, monkeypatch):
    suite = line_suite({"trials": 3})
    values = RDBStorage.set_trial_state_values

    def gone(self, trial_id, state, values=None):
        raise OperationalError("UPDATE trials", {}, Exception("server closed the connection"))

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", gone)
    with pytest.raises(MachineError, match=r"cannot be used \(OperationalError: server closed"):
        run(suite, tmp_path)

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", values)
    assert [trial.state for trial in run(suite, tmp_path).trials] == ["complete"] * 3


def test_a_seed_that_went_past_a_rung_unseen_is_not_compared_there(tmp_path):
    space = {"training.learning_rate": {"choice": [0.03, 1e-6]}}
    search = {"algorithm": "grid", "space": space, "scheduler": ASHA, "seed": 1}
    suite = line_suite(search, training={"batch_size": 16, "validations": 2})
    ahead = suite.setting({"model": "plain"}, {"training.learning_rate": 1e-6}, DIGEST)[0]
    train_until(ahead, Execution(), tmp_path, lambda report: None, 0.6)

    found = run(suite, tmp_path)

    (poor,) = [t for t in found.trials if t.values["training.learning_rate"] == 1e-6]
    assert list(poor.rungs) == ["80"], "20 % and 40 % were passed; validation was at 50 and 60 %"
    assert poor.reason == "asha at 80 %"


def test_a_seed_that_was_looked_at_on_the_rung_is_compared_there(tmp_path):
    training = {"batch_size": 16, "validations": 5}
    suite = line_suite({"trials": 1, "scheduler": ASHA}, seeds=[0], training=training)
    (undisturbed,) = run(suite, tmp_path / "whole").trials
    (cell,) = suite.setting({"model": "plain"}, undisturbed.values, DIGEST)

    run_cell(cell, Execution(), tmp_path / "ahead", lambda report: None)

    (trial,) = run(suite, tmp_path / "ahead").trials
    assert trial.rungs == undisturbed.rungs
    assert list(trial.rungs) == ["20", "40", "80"]


@pytest.mark.parametrize(
    ("error", "at_fault"),
    [
        (TrainingError("not finite"), "setting"),
        (MemoryShortageError("too much"), "setting"),
        (ValueError("a bug"), "setting"),
        (MachineError("no space left"), "search"),
        (ObjectStoreFullError("full"), "search"),
        (ObjectLostError("0" * 56, "owner", "here"), "search"),
    ],
)
def test_a_setting_is_blamed_for_its_own_faults_alone(error, at_fault):
    assert blame(error) == at_fault


@pytest.mark.parametrize("error", [RayError("the head is gone"), TuneError("no actor")])
def test_a_cluster_that_goes_away_is_a_sentence_and_leaves_the_trials_waiting(
    error, tmp_path, monkeypatch
):
    suite = line_suite({"trials": 2})
    study = open_study(suite, tmp_path)

    class Tuner:
        def __init__(self, *args, **options) -> None:
            pass

        def fit(self) -> None:
            study.propose()
            raise error

    monkeypatch.setattr(search_tune.tune, "Tuner", Tuner)
    common = Orders(
        storage=tmp_path, execution=Execution(), resources=Resources(), evaluation=None,
        destination=Destination("sqlite:///none", None, "lines", "Lines", "here:1:1"),
        fresh=False, environment={},
    )  # fmt: skip
    board = Board({"0": "trial 0"}, 1)
    with pytest.raises(MachineError, match="Ray cluster went away"):
        run_study(study, SearchOrders(common, (), None), board, lambda keys, reason: None)
    assert states(suite, tmp_path) == [TrialState.WAITING]


def test_a_fault_that_tune_wraps_is_told_as_it_is():
    wrapped = TuneError("Traceback (most recent call last)")
    wrapped.__context__ = MachineError("Optuna's database cannot be used")
    with pytest.raises(MachineError, match=r"^Optuna's database cannot be used$"), cluster_stays():
        raise wrapped
