"""Faults of the clock: clock-jump."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import PromiseError, Scene
from assay.tracking.audit import recorded_runs

SHIM = Path(__file__).parent / "shim"
HOUR = 3600


class ClockJump(Drill):
    """Set the clock two hours forward in mid-training, then back to an hour before the beginning.

    Then the driver is killed, the same command given again on the day before, and the clock set
    a day forward once more. `time.time` and `time.time_ns` of every Python process of the scene,
    Ray's included, read a shifted clock; the kernel's, and with it the times of files, stays.
    Which checkpoint is the newest, who holds a lock and how far a suite is should not depend on
    the time of day, and no MLflow run should end before it starts.
    """

    fault = "a clock that jumps by hours, forth and back"

    @contextlib.contextmanager
    def place(self, scene: Scene) -> Iterator[None]:
        """Give the scene a clock of its own."""
        _set(scene, 0)
        path = os.pathsep.join([str(SHIM), *filter(None, [os.environ.get("PYTHONPATH")])])
        scene.environment |= {"PYTHONPATH": path, "ASSAY_DRILL_CLOCK": str(_file(scene))}
        yield

    def disturb(self, scene: Scene) -> None:
        """Jump in mid-training, resume under a wrong clock, jump again."""
        first = scene.start()
        for hours in (2, -1):
            self._jump(scene, hours)
        key, process = scene.wait_for_a_training_cell()
        first.kill()
        begun = [cell.key for cell in scene.cells if scene.starts(cell.key)]
        _set(scene, -24)
        again = scene.start()
        scene.wait_for_recovery(scene.record(key, pid=process.pid, since=again.started))
        self._jump(scene, 0, unlike=begun)
        again.expect(0)
        starts = [run.start_ms for run in recorded_runs(scene.tracking_uri, "drill") if run.key]
        if max(starts) - min(starts) < 1000 * HOUR:
            raise PromiseError("the clock did not jump: MLflow's times lie within an hour")

    def _jump(self, scene: Scene, hours: int, unlike: Sequence[str] = ()) -> None:
        key, _ = scene.wait_for_a_training_cell(unlike=unlike)
        _set(scene, hours)
        scene.wait_for_recovery(scene.record(key))


def _file(scene: Scene) -> Path:
    return scene.folder / "clock"


def _set(scene: Scene, hours: int) -> None:
    new = _file(scene).with_suffix(".new")
    new.write_text(str(HOUR * hours))
    new.replace(_file(scene))
