import pytest

from assay import attempts
from assay.errors import DataError, NoProgressError


def begin(directory, step=5, series="driver", accumulation=1):
    attempts.begin(directory, series, step, accumulation)


def test_a_start_is_one_line_that_says_who_when_and_where(tmp_path):
    begin(tmp_path, step=7)
    (line,) = attempts.read(tmp_path)
    assert (line["step"], line["series"], line["accumulation"]) == (7, "driver", 1)
    assert line["pid"] > 0
    assert line["host"]
    assert line["utc"].endswith("+00:00")


def test_any_number_of_starts_is_fine_as_long_as_the_cell_gets_further(tmp_path):
    for step in range(20):
        begin(tmp_path, step)
    assert len(attempts.read(tmp_path)) == 20


def test_the_fourth_start_from_the_same_state_is_refused(tmp_path):
    for _ in range(attempts.TRIES):
        begin(tmp_path)
    with pytest.raises(NoProgressError, match=r"died 3 times at step 5 without a new checkpoint"):
        begin(tmp_path)


def test_smaller_micro_batches_are_progress(tmp_path):
    for _ in range(attempts.TRIES):
        begin(tmp_path)
    begin(tmp_path, accumulation=2)
    assert attempts.read(tmp_path)[-1]["accumulation"] == 2


def test_a_command_given_anew_begins_anew(tmp_path):
    for _ in range(attempts.TRIES):
        begin(tmp_path)
    begin(tmp_path, series="another driver")
    assert len(attempts.read(tmp_path)) == attempts.TRIES + 1


def test_a_damaged_log_is_one_sentence(tmp_path):
    (tmp_path / attempts.NAME).write_text("{\n")
    with pytest.raises(DataError, match=r"attempts\.jsonl: not readable .*; remove it"):
        begin(tmp_path)


def test_the_starts_of_another_driver_in_between_change_nothing(tmp_path):
    for _ in range(attempts.TRIES):
        begin(tmp_path, series="one")
        begin(tmp_path, series="other")
    with pytest.raises(NoProgressError):
        begin(tmp_path, series="one")


def test_a_group_that_grew_is_no_death(tmp_path):
    for workers in (2, 3, 4, 5):
        attempts.begin(tmp_path, "driver", 5, 1, workers)
    assert [line["workers"] for line in attempts.read(tmp_path)] == [2, 3, 4, 5]


def test_who_came_to_the_end_died_of_nothing(tmp_path):
    for _ in range(attempts.TRIES + 2):
        begin(tmp_path, series="driver-50")
        attempts.end(tmp_path, "driver-50")
    for _ in range(attempts.TRIES):
        begin(tmp_path, series="driver-50")
    with pytest.raises(NoProgressError):
        begin(tmp_path, series="driver-50")
