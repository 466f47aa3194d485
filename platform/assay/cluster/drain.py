"""Whether this node is about to be taken away: preempted, or drained by the autoscaler."""

import time
from collections.abc import Callable

import ray
from ray._private.state import state as cluster_state
from ray.exceptions import RayError

LOOK_SECONDS = 2.0


def node_is_drained(clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Return a question that may be asked at every step: Ray is asked every two seconds.

    Ray has no public call for a process outside Ray Train; this is the one that Ray Train's own
    watcher of preemptions uses.
    """
    here = ray.get_runtime_context().get_node_id()
    last, known = -LOOK_SECONDS, False

    def ask() -> bool:
        nonlocal last, known
        if clock() - last >= LOOK_SECONDS:
            last = clock()
            try:
                known = here in (draining_nodes() or {})
            except RayError:
                known = False
        return known

    return ask


def draining_nodes() -> dict[str, int]:
    """Return the deadline (Unix time in ms, 0 for none) of each node that is being drained."""
    return cluster_state.get_draining_nodes()
