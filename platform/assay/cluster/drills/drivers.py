"""Faults of the driver: kill-driver, two-drivers."""

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import PromiseError, Scene


class KillDriver(Drill):
    """SIGKILL the driver while one cell is finished and another is in mid-training.

    The same command is given again at once, while the processes of the old one are still dying. It
    should reuse the finished cell and take up the other from its checkpoint.
    """

    fault = "`kill -9` of the driver, the same command again"

    def disturb(self, scene: Scene) -> None:
        """Kill the first command, give it again."""
        first = scene.start()
        scene.wait(lambda: any(map(scene.is_finished, _keys(scene))), "a cell is finished")
        key, process = scene.wait_for_a_training_cell()
        first.kill()
        again = scene.start()
        scene.wait_for_recovery(scene.record(key, pid=process.pid, since=again.started))
        again.expect(0)


class TwoDrivers(Drill):
    """Give the same command twice at once, on the same run store, each with a Ray of its own.

    A cell belongs to whoever holds its lock; the other driver should wait for it and reuse its
    result. Both commands should end well, each cell should be computed once, and MLflow should
    show one suite.
    """

    fault = "two drivers with the same suite at once"

    def disturb(self, scene: Scene) -> None:
        """Start both, wait for both."""
        drivers = [scene.start(), scene.start()]
        scene.record()
        for driver in drivers:
            driver.expect(0)
        for cell in scene.cells:
            starts = len(scene.starts(cell.key))
            if starts != 1:
                raise PromiseError(f"cell {cell.label} was begun {starts} times by two drivers")


def _keys(scene: Scene) -> list[str]:
    return [cell.key for cell in scene.cells]
