"""Independent pieces of work side by side, each on its share of the CPU's threads.

Small tensors gain little from a second thread; two pieces of work on a thread each take nearly half
the time. A piece computes the same whatever runs beside it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

import torch

T = TypeVar("T")
Watch = Callable[[float], None]
"""Told the fraction done, from 0 to 1."""
TOLD_SECONDS = 0.2
"""Between two reports of how far all have come."""


class _NotWantedError(Exception):
    """Ends a piece of work whose result nobody waits for any more."""


def side_by_side(
    pieces: Sequence[Callable[[Watch], T]], device: torch.device, watch: Watch
) -> list[T]:
    """Return what the pieces return, in their order.

    On the CPU as many run at a time as PyTorch has threads, and the threads are shared out among
    them; on a GPU, which one piece fills, they run one after another. Gradients and autocast are
    on or off within them as they are here.

    Args:
        pieces: Begun in this order, so the longest had better be first. Each tells how far it has
            come, often: that is where it can be stopped.
        device: Where they compute.
        watch: Hears how far all have come, in the caller's thread. If it raises, all stop.

    Raises:
        Exception: what the first piece that failed raised; the others are stopped.
    """
    threads = torch.get_num_threads()
    lanes = min(len(pieces), threads) if device.type == "cpu" else 1
    if lanes <= 1:
        share = 1 / max(1, len(pieces))
        return [
            piece(lambda done, begun=number: watch((begun + done) * share))
            for number, piece in enumerate(pieces)
        ]
    torch.set_num_threads(threads // lanes)
    try:
        return _in_lanes(pieces, lanes, watch)
    finally:
        torch.set_num_threads(threads)


def _in_lanes(pieces: Sequence[Callable[[Watch], T]], lanes: int, watch: Watch) -> list[T]:
    done, is_over = [0.0] * len(pieces), Event()
    grad, lower = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu")

    def run(number: int) -> T:
        def hear(fraction: float) -> None:
            if is_over.is_set():
                raise _NotWantedError
            done[number] = fraction

        with torch.set_grad_enabled(grad), torch.autocast("cpu", dtype, enabled=lower):
            return pieces[number](hear)

    with ThreadPoolExecutor(lanes) as pool:
        waiting = {pool.submit(run, number): number for number in range(len(pieces))}
        found: dict[int, T] = {}
        try:
            while waiting:
                finished, _ = wait(waiting, TOLD_SECONDS, FIRST_EXCEPTION)
                found |= {waiting.pop(future): future.result() for future in finished}
                watch(sum(done) / len(done))
        finally:
            is_over.set()
            for future in waiting:
                future.cancel()
    return [found[number] for number in range(len(pieces))]
