"""A study has its own name, its own driver and a database that may be out of reach."""

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from assay.cluster.search_outcome import record
from assay.cluster.study import Database, locked, study_name
from assay.errors import MachineError
from tests.cluster.searching import DIGEST, line_suite, open_study, play

ASHA = {"asha": {"grace": 0.2, "reduction": 2}}


@pytest.fixture(autouse=True)
def _played(monkeypatch):
    play(monkeypatch)


def test_what_decides_the_figures_names_the_study():
    def name(search: dict, digest: str = DIGEST, store: str = "here", **changes) -> str:
        suite = line_suite({"trials": 3, **search}, **changes)
        return study_name(suite, {"model": "plain"}, digest, store)

    plain = name({})
    assert plain.startswith("lines plain ")
    assert name({"trials": 9}) == plain
    assert name({}, resources={"cpus": 2}, title="Other words") == plain
    others = {
        name({}, seeds=[0]),
        name({}, budget={"steps": 30}),
        name({"seed": 1}),
        name({"scheduler": ASHA}),
        name({}, digest="1" * 16),
        name({}, store="elsewhere"),
    }
    assert len(others | {plain}) == 7
    seconds = {"budget": {"seconds": 5}}
    assert name({}, **seconds) == name({"trials": 9}, **seconds)
    assert name({}, **seconds) != name({}, **seconds, resources={"cpus": 2})


def test_drivers_with_other_run_stores_have_studies_of_their_own_in_one_database(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ASSAY_OPTUNA_STORAGE", f"sqlite:///{tmp_path}/shared.db")
    suite = line_suite({"trials": 2})
    here = open_study(suite, tmp_path / "here")
    proposal = here.propose()
    assert proposal is not None
    there = open_study(suite, tmp_path / "there")

    assert there.name != here.name
    assert there.trials == []
    here.complete(proposal.number, [0.5])
    (tmp_path / "here").rename(tmp_path / "moved")
    moved = open_study(suite, tmp_path / "moved")
    assert [trial.state for trial in moved.trials] == [TrialState.COMPLETE]


def test_two_drivers_never_have_one_study(tmp_path):
    database = Database(None, tmp_path)
    with (
        locked(database, "lines plain 1234"),
        pytest.raises(MachineError, match=r"'lines plain 1234' is being searched by another"),
        locked(database, "lines plain 1234"),
    ):
        pytest.fail("both have it")
    with locked(database, "lines plain 1234"):
        pass


def test_a_database_that_cannot_be_opened_is_one_sentence_without_its_password(tmp_path):
    url = "postgresql://ada:canary-5f1e@127.0.0.1:9/optuna"
    with pytest.raises(MachineError, match="cannot be opened as Optuna's database") as error:
        Database(url, tmp_path)
    assert "canary" not in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(MachineError, match="cannot be opened"):
        Database("nonsense", tmp_path)


def test_a_database_in_a_jobs_temporary_copy_is_refused(tmp_path, monkeypatch):
    copy = tmp_path / "runtime_resources" / "copy"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    with pytest.raises(MachineError, match=r"temporary copy of the repository.*absolute path"):
        Database("sqlite:///optuna.db", tmp_path)
    assert list(copy.iterdir()) == []
    Database(f"sqlite:///{tmp_path}/optuna.db", tmp_path)


@pytest.mark.parametrize("method", ["get_all_trials", "create_new_study"])
def test_whatever_a_study_does_without_its_database_is_a_sentence(method, tmp_path, monkeypatch):
    suite = line_suite({"trials": 2})
    study = open_study(suite, tmp_path)

    def gone(self, *args, **options):
        raise OperationalError("SELECT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(RDBStorage, method, gone)
    monkeypatch.setattr("optuna.storages._CachedStorage.get_all_trials", gone)
    for use in (
        lambda: study.trials,
        lambda: study.left,
        lambda: open_study(suite, tmp_path),
        lambda: open_study(suite, tmp_path, fresh=True),
        lambda: record(study),
    ):
        with pytest.raises(MachineError, match="cannot be used"):
            use()


def test_the_database_is_the_option_else_the_environment_else_in_the_run_store(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ASSAY_OPTUNA_STORAGE", f"sqlite:///{tmp_path}/env.db")
    assert Database(None, tmp_path).url.endswith("env.db")
    assert Database(f"sqlite:///{tmp_path}/given.db", tmp_path).url.endswith("given.db")
    monkeypatch.delenv("ASSAY_OPTUNA_STORAGE")
    assert Database(None, tmp_path).url == f"sqlite:///{tmp_path}/optuna.db"
