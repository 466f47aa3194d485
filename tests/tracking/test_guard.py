import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from assay.errors import DataError
from assay.tracking import guard
from assay.tracking.guard import Guard


class Flaky:
    """An action that finds the database locked a few times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self, runs) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)
        return "done"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(guard.time, "sleep", lambda seconds: None)


def test_a_locked_database_is_tried_again(target, capsys):
    action = Flaky(failures=3)
    assert Guard(target).do(action) == "done"
    assert action.calls == 4
    assert capsys.readouterr().err == ""


def test_a_lasting_fault_is_told_once_and_left_alone_for_a_while(target, capsys):
    guarded, action = Guard(target), Flaky(failures=100)
    assert guarded.do(action) is None
    assert guarded.do(action) is None
    assert action.calls == guard.TRIES
    assert guarded.do(action, insist=True) is None
    assert action.calls == 2 * guard.TRIES
    assert capsys.readouterr().err.count("cannot be used") == 1


def test_a_success_ends_the_pause_that_a_fault_began(target):
    guarded = Guard(target)
    assert guarded.do(Flaky(failures=100)) is None
    assert guarded.do(Flaky(failures=0), insist=True) == "done"
    assert guarded.do(Flaky(failures=0)) == "done"


def test_a_fault_in_our_own_files_is_not_hidden(target):
    def read_a_broken_file(runs):
        raise DataError("result.json: not readable as JSON")

    with pytest.raises(DataError, match=r"result\.json"):
        Guard(target).do(read_a_broken_file)
