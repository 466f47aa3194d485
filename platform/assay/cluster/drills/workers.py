"""Faults of the processes that train: kill-worker."""

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import Scene

KILLS = 5


class KillWorker(Drill):
    """SIGKILL the process that trains a cell, in the middle of a step, five times in one run.

    The process is the one that holds the cell's lock. The first cell that is hit is hit again after
    it has recovered; the other kills fall on whichever cell is in mid-training. The driver is left
    alone: it should take the cells up again by itself, from their checkpoints.
    """

    fault = "`kill -9` of a training worker in mid-step"

    def disturb(self, scene: Scene) -> None:
        """Kill five times, then let the command end."""
        driver = scene.start()
        first, _ = scene.wait_for_a_training_cell()
        hit = [first]
        scene.wait_for_recovery(scene.kill_trainer(first))
        scene.wait_for_recovery(scene.kill_trainer(first))
        while len(scene.injections) < KILLS:
            key, _ = scene.wait_for_a_training_cell(unlike=hit)
            scene.wait_for_recovery(scene.kill_trainer(key))
            hit.append(key)
        driver.expect(0)
