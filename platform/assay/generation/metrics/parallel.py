"""Work on many molecules, spread over processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Part = TypeVar("Part")
Found = TypeVar("Found")


def spread(
    function: Callable[[Part], list[Found]], parts: Sequence[Part], processes: int
) -> list[Found]:
    """Return what `function` makes of each part, one after the other in one list.

    Args:
        function: of a module, so that another process can import it.
        parts: the work, in pieces that are worth sending to another process.
        processes: up to 1 works in this process; more are spawned, so a script that asks for
            them must guard its main part by `if __name__ == "__main__"`.
    """
    workers = min(processes, len(parts))
    if workers <= 1:
        return [found for part in parts for found in function(part)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [found for part in pool.map(function, parts) for found in part]
