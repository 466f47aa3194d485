"""Whether this node is about to be taken away: preempted, or drained by the autoscaler."""

import logging
import time
from collections.abc import Callable

import ray
from ray._private.state import state as cluster_state
from ray.exceptions import RayError

LOOK_SECONDS = 2.0
log = logging.getLogger(__name__)


def node_is_drained(clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Return a question that may be asked at every step: Ray is asked every two seconds.

    Ray has no public call for a process outside Ray Train; this is the one that Ray Train's own
    watcher of preemptions uses.
    """
    here = ray.get_runtime_context().get_node_id()
    last, known, told = -LOOK_SECONDS, False, False

    def ask() -> bool:
        nonlocal last, known, told
        if clock() - last >= LOOK_SECONDS:
            last = clock()
            try:
                known = here in (draining_nodes() or {})
            except RayError as error:
                known = False
                if not told:
                    told = True
                    log.warning(
                        "the head does not say which nodes are drained (%s): until it does, this "
                        "cell saves at its usual times only",
                        " ".join(str(error).split())[:200],
                    )
        return known

    return ask


def draining_nodes() -> dict[str, int]:
    """Return the deadline (Unix time in ms, 0 for none) of each node that is being drained."""
    return cluster_state.get_draining_nodes()
