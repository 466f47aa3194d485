"""Times are told by a clock that the test turns."""

import io

import pytest
from rich.console import Console

from assay.cluster import display
from assay.cluster.progress import Board, duration


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def row(phase: str, fraction: float, **more) -> dict:
    return {"phase": phase, "fraction": fraction, **more}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def board(clock: Clock, cells: int = 1, concurrent: int = 1) -> Board:
    return Board({str(k): f"cell {k}" for k in range(cells)}, concurrent, clock)


def test_nothing_is_promised_before_anything_is_known(clock):
    shown = board(clock, cells=2)
    shown.report("0", row("train", 0.0))
    assert shown.cell_seconds_left("0") is None
    assert shown.seconds_left() is None


def test_time_left_follows_the_pace_of_training_and_of_evaluation(clock):
    shown = board(clock)
    shown.report("0", row("train", 0.0))
    clock.now = 10.0
    shown.report("0", row("train", 0.25))
    # 30 s of training, then a quarter of 40 s for the evaluation.
    assert shown.seconds_left() == pytest.approx(30 + 10)
    clock.now = 40.0
    shown.report("0", row("evaluate", 0.0))
    clock.now = 46.0
    shown.report("0", row("evaluate", 0.5))
    assert shown.seconds_left() == pytest.approx(6)


def test_a_resumed_cell_is_not_credited_with_what_it_did_before(clock):
    shown = board(clock)
    shown.report("0", row("train", 0.8))
    clock.now = 10.0
    shown.report("0", row("train", 0.9))
    # 10 s for a tenth: 10 s of training, and a quarter of 100 s for the evaluation.
    assert shown.seconds_left() == pytest.approx(10 + 25)


def test_waiting_cells_are_taken_to_be_like_the_others(clock):
    shown = board(clock, cells=5, concurrent=2)
    shown.report("0", row("train", 0.0))
    clock.now = 8.0
    shown.report("0", row("evaluate", 0.0))
    clock.now = 10.0
    shown.enter("0", "done")
    assert shown.seconds_left() == pytest.approx(4 * 10 / 2)


def test_what_evaluation_took_is_learnt_from_finished_cells(clock):
    shown = board(clock, cells=2)
    shown.report("0", row("train", 0.0))
    clock.now = 10.0
    shown.report("0", row("evaluate", 0.0))
    clock.now = 20.0
    shown.report("0", row("done", 1.0))
    shown.report("1", row("train", 0.0))
    clock.now = 25.0
    shown.report("1", row("train", 0.5))
    assert shown.seconds_left() == pytest.approx(5 + 10)


def test_the_total_counts_what_is_finished_reused_and_failed(clock):
    shown = board(clock, cells=3)
    shown.enter("0", "reused")
    shown.report("1", row("done", 1.0))
    shown.report("2", {"phase": "failed", "reason": "loss nan"})
    assert display.total(shown) == "2 of 3 cells finished · 1 reused · 1 failed"
    assert shown.lines["2"].reason == "loss nan"


def test_a_line_of_the_log_says_all_that_the_table_says(clock):
    shown = board(clock)
    shown.report("0", row("train", 0.0))
    clock.now = 10.0
    spent = {"samples": 6400, "seconds": 10.0, "metrics": {"train/loss": 1.23456}}
    shown.report("0", row("train", 0.5, **spent))
    words = display.describe(shown.lines["0"], shown.cell_seconds_left("0"))
    assert words == "cell 0: train, 50%, loss 1.2346, 640 samples/s, 15 s left"


def test_a_log_has_a_line_a_change_of_phase_and_no_control_characters(clock):
    shown, text = board(clock, cells=2), io.StringIO()
    shown.enter("0", "reused")
    with display.display(shown, Console(file=text, width=40)):
        shown.report("1", {"phase": "failed", "reason": "loss [nan] at step 3, of a long sentence"})
    lines = text.getvalue().splitlines()
    assert lines == [
        "cell 1: failed, loss [nan] at step 3, of a long sentence",
        "1 of 2 cells finished · 1 reused · 1 failed",
    ]


def test_the_table_names_every_cell(clock):
    shown, text = board(clock, cells=3), io.StringIO()
    shown.report("1", row("train", 0.5, metrics={"train/loss": 0.5}))
    Console(file=text, width=100).print(display.table(shown))
    for words in ("cell 0", "cell 1", "cell 2", "0.5000", "0 of 3 cells finished"):
        assert words in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (0, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7801, "2 h 10 min")],
)
def test_durations_read_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_what_a_person_should_know_is_shown_until_the_phase_is_over(clock):
    shown = board(clock)
    shown.report("0", row("train", 0.1, note="memory is short: 2 micro-batches"))
    shown.report("0", row("train", 0.2))
    assert "memory is short: 2 micro-batches" in display.describe(shown.lines["0"], None)
    shown.report("0", row("evaluate", 0.0))
    assert shown.lines["0"].reason == ""
