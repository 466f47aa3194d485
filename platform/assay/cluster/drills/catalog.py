"""The drills by name: the only list of them. `all` is every one."""

from collections.abc import Mapping

from assay.catalog import load
from assay.cluster.drills.drill import Drill
from assay.config import choose

DRILLS: Mapping[str, str] = {
    "kill-worker": "assay.cluster.drills.workers:KillWorker",
    "kill-driver": "assay.cluster.drills.drivers:KillDriver",
    "stop-cluster": "assay.cluster.drills.clusters:StopCluster",
    "remove-node": "assay.cluster.drills.clusters:RemoveNode",
    "mlflow-down": "assay.cluster.drills.mlflow:MlflowDown",
    "mlflow-killed": "assay.cluster.drills.mlflow:MlflowKilled",
    "disk-full": "assay.cluster.drills.disk:DiskFull",
    "corrupt-checkpoint": "assay.cluster.drills.checkpoints:CorruptCheckpoint",
    "nan-loss": "assay.cluster.drills.losses:NanLoss",
    "out-of-memory": "assay.cluster.drills.memory:OutOfMemory",
    "two-drivers": "assay.cluster.drills.drivers:TwoDrivers",
    "clock-jump": "assay.cluster.drills.clock:ClockJump",
}


def find(name: str) -> Drill:
    """Return a drill by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(DRILLS[choose("drill", name, DRILLS)])()
