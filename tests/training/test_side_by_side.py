"""Pieces of work side by side return what they return alone, and stop when one fails."""

import threading
from collections.abc import Callable

import pytest
import torch

from assay.training.side_by_side import Watch, side_by_side

CPU = torch.device("cpu")
PATIENCE = 20.0
"""Seconds."""


def told_to_nobody(fraction: float) -> None:
    """Hear how far it is."""


def counting(number: int) -> Callable[[Watch], tuple[int, int, str]]:
    def piece(watch: Watch) -> tuple[int, int, str]:
        watch(1.0)
        return number, torch.get_num_threads(), threading.current_thread().name

    return piece


@pytest.mark.usefixtures("two_threads")
def test_results_are_in_order_and_threads_are_shared_out_and_given_back() -> None:
    meeting = threading.Barrier(2)  # passed only if two pieces run at the same time

    def piece(watch: Watch) -> int:
        meeting.wait(PATIENCE)
        return torch.get_num_threads()

    assert side_by_side([piece, piece], CPU, told_to_nobody) == [1, 1]
    found = side_by_side([counting(number) for number in range(7)], CPU, told_to_nobody)
    assert [number for number, _, _ in found] == list(range(7))
    assert threading.current_thread().name not in {name for _, _, name in found}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_one_thread_or_a_gpu_takes_one_after_another_here(device: str) -> None:
    heard: list[float] = []
    pieces = [counting(number) for number in range(4)]
    assert torch.get_num_threads() == 1
    found = side_by_side(pieces, torch.device(device), heard.append)
    here = threading.current_thread().name
    assert found == [(number, 1, here) for number in range(4)]
    assert heard == [0.25, 0.5, 0.75, 1.0]


def test_nothing_is_nothing() -> None:
    assert side_by_side([], CPU, told_to_nobody) == []


@pytest.mark.usefixtures("two_threads")
def test_the_caller_hears_of_all_in_its_own_thread() -> None:
    heard: list[tuple[float, str]] = []
    here = threading.current_thread().name

    def hear(fraction: float) -> None:
        heard.append((fraction, threading.current_thread().name))

    side_by_side([counting(number) for number in range(5)], CPU, hear)
    assert heard[-1] == (1.0, here)
    assert {name for _, name in heard} == {here}
    assert [fraction for fraction, _ in heard] == sorted(fraction for fraction, _ in heard)


def without_end(begun: threading.Event, ended: threading.Event) -> Callable[[Watch], None]:
    def piece(watch: Watch) -> None:
        begun.set()
        pause = threading.Event()
        try:
            while not pause.wait(0.001):
                watch(0.5)
        finally:
            ended.set()

    return piece


@pytest.mark.usefixtures("two_threads")
def test_when_one_fails_the_others_stop_and_its_fault_is_raised() -> None:
    begun, ended = threading.Event(), threading.Event()

    def fails(watch: Watch) -> None:
        assert begun.wait(PATIENCE)
        raise ValueError("a fault of its own")

    never = counting(0)
    with pytest.raises(ValueError, match="a fault of its own"):
        side_by_side([without_end(begun, ended), fails, never], CPU, told_to_nobody)
    assert ended.is_set()
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_who_watches_can_stop_all() -> None:
    begun, ended = threading.Event(), threading.Event()

    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    pieces = [without_end(begun, ended), without_end(begun, ended)]
    with pytest.raises(KeyboardInterrupt):
        side_by_side(pieces, CPU, interrupt)
    assert ended.is_set()
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("lower", [False, True])
def test_gradients_and_precision_are_the_callers(lower: bool) -> None:
    weight = torch.ones(2, 2, requires_grad=True)

    def piece(watch: Watch) -> tuple[bool, torch.dtype]:
        product = weight @ torch.ones(2, 2)
        return product.requires_grad, product.dtype

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=lower):
        found = side_by_side([piece, piece], CPU, told_to_nobody)
    assert found == [(False, torch.bfloat16 if lower else torch.float32)] * 2
    assert side_by_side([piece, piece], CPU, told_to_nobody) == [(True, torch.float32)] * 2
