"""Faults of memory: out-of-memory."""

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import PromiseError, Scene
from assay.result import read_result

LABEL = "gnn-flow_matching"
LARGE = {"architecture": "gnn", "process": "flow_matching"}
SHARE = 0.7
"""Of what a step takes: too little for the whole batch, enough for half of it."""
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""So that glibc gives a step's memory back, and every step has to ask for it again."""
LOOK_SECONDS = 0.3


class OutOfMemory(Drill):
    """Lower a training process's memory limit between two steps of a cell with a large batch.

    The limit (RLIMIT_AS) leaves 70 % of what a step takes: torch's allocator really fails. The
    step should be repeated with half the micro-batch, accumulated, and the result should say so;
    its figures should stay within 1e-5 of the undisturbed run, those of the other cells bit-equal.
    """

    fault = "out of memory in one cell"
    rules = ({"when": LARGE, "set": {"training.batch_size": 200}},)
    tolerance = {LABEL: 1e-5}

    @contextlib.contextmanager
    def place(self, scene: Scene) -> Iterator[None]:
        """Let the allocator return what is freed."""
        scene.environment |= MAPPED
        yield

    def disturb(self, scene: Scene) -> None:
        """Lower the limit after the first step of the large cell."""
        key = scene.key(LABEL)
        driver = scene.start()
        scene.wait(lambda: scene.step(key) >= 1, f"cell {LABEL} has made a step")
        process = scene.trainer(key)
        if process is None:
            raise PromiseError(f"nobody trains cell {LABEL}")
        with _lower_limit(process):
            injection = scene.record(key)
            scene.wait_for_recovery(injection)
        driver.expect(0)
        result = read_result(scene.directory(key) / "result.json")
        parts = result.provenance.accumulation
        if parts < 2:
            raise PromiseError(f"cell {LABEL}: its result does not tell of micro-batches")
        if len(set(scene.starts(key))) > 1:
            raise PromiseError(f"cell {LABEL}: its process died instead of repeating the step")
        scene.remark = f"{parts} micro-batches a step"


@contextlib.contextmanager
def _lower_limit(process: psutil.Process) -> Iterator[None]:
    """Lower it for a while: the process goes on to train other cells, which it is not to touch."""
    between_steps = _size(process, "VmSize")
    until = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < until:
        between_steps = min(between_steps, _size(process, "VmSize"))
    step = _size(process, "VmPeak") - between_steps
    soft, hard = process.rlimit(resource.RLIMIT_AS)
    process.rlimit(resource.RLIMIT_AS, (between_steps + round(SHARE * step), hard))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_AS, (soft, hard))


def _size(process: psutil.Process, field: str) -> int:
    """Return a size of /proc/<pid>/status in bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise PromiseError(f"process {process.pid} has no {field}")
