"""Faults that lie in a cell: nan-loss."""

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import Scene

WILD = {"architecture": "transformer", "process": "diffusion"}


class NanLoss(Drill):
    """Give one cell of nine a learning rate of 1e30, so that its loss really becomes NaN.

    The cell should fail at that step with a reason, in its folder and in MLflow; the other eight
    should not notice.
    """

    fault = "NaN loss in one cell of nine"
    rules = ({"when": WILD, "set": {"training.learning_rate": 1e30}},)
    fails = ("transformer-diffusion",)

    def disturb(self, scene: Scene) -> None:
        """Run to the end; the command should say that a cell failed."""
        driver = scene.start()
        scene.record()
        driver.expect(1)
