"""A cell that several workers train: a Ray Train run inside its Tune trial."""

import json
import logging
import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train import TrainingFailedError, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer, get_device
from ray.tune.integration.ray_train import TuneReportCallback

from assay import attempts
from assay.cell import Cell
from assay.cluster.drain import node_is_drained
from assay.cluster.orders import Orders
from assay.cluster.ray_train import hold_coordinator, tell_which_cluster
from assay.cluster.stream import through_ray_data
from assay.config import validate
from assay.errors import AssayError, MachineError, MemoryShortageError, NoProgressError
from assay.resources import Resources
from assay.runner import Manner, Report, cell_directory, train_until
from assay.tracking import Recorder
from assay.training import memory
from assay.training.parallel import DistributedWorkers

REPORT_SECONDS = 5.0
"""Least time between two reports of progress: each waits for Ray Train's next look, every 2 s."""
log = logging.getLogger(__name__)


def train_together(cell: Cell, orders: Orders) -> None:
    """Train a cell to the end of its budget with as many workers as its resources say.

    A group that loses a worker is started anew for as long as the cell gets any further. Ray
    Train itself grows and shrinks an elastic group, and replaces what was preempted.

    Raises:
        AssayError: what a worker raised, or Ray Train could not be used.
    """
    tell_which_cluster()
    directory = cell_directory(orders.storage, cell.key)
    lost, vain = "", 0
    while True:
        if orders.resources.is_elastic:
            hold_coordinator()  # again: another job may have made it on a node that is lost now
        shortage, starts = _noted(directory / memory.NAME), len(attempts.read(directory))
        with tempfile.TemporaryDirectory(prefix="assay-train-") as scratch:
            try:
                _trainer(cell, orders, scratch).fit()
                return
            except TrainingFailedError as error:
                causes = _causes(error)
        # Where a worker stops, the others lose their connection to it: what it says explains them.
        fault = next((cause for cause in causes if isinstance(cause, AssayError)), None)
        halved = _noted(directory / memory.NAME) != shortage
        if isinstance(fault, NoProgressError):
            raise NoProgressError(f"{fault}; a worker's last words: {lost}") if lost else fault
        if fault is not None and not (isinstance(fault, MemoryShortageError) and halved):
            raise fault
        lost = f"{type(causes[0]).__name__}: {' '.join(str(causes[0]).split())[-300:]}"
        vain = 0 if len(attempts.read(directory)) > starts else vain + 1
        if vain == attempts.TRIES:
            raise MachineError(f"its workers do not start ({lost}); the dashboard has their logs")
        log.warning("cell %s: its workers start anew (%s)", cell.key, lost)


def _noted(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _trainer(cell: Cell, orders: Orders, scratch: str) -> TorchTrainer:
    resources = orders.resources
    return TorchTrainer(
        _train_here,
        train_loop_config={"cell": cell.model_dump_json(), "orders": orders},
        torch_config=TorchConfig(backend="nccl" if resources.gpus else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker=_of_a_worker(resources),
        ),
        run_config=ray.train.RunConfig(
            name=cell.key,
            storage_path=scratch,
            callbacks=[TuneReportCallback()],
            # Restarts are ours: they tell a cell's own fault from a process that died.
            failure_config=ray.train.FailureConfig(max_failures=0),
        ),
    )


def _of_a_worker(resources: Resources) -> dict[str, float]:
    asked: dict[str, float] = {"CPU": resources.cpus}
    return asked | ({"GPU": resources.gpus} if resources.gpus else {})


def _train_here(config: dict[str, Any]) -> None:
    """Do one worker's part of the training."""
    orders: Orders = config["orders"]
    os.environ.update(orders.environment)
    cell = validate(Cell, json.loads(config["cell"]), "the cell")
    if orders.execution.device == "cuda":
        torch.cuda.set_device(get_device())
    workers = DistributedWorkers(orders.execution.sharding, orders.execution.device)
    directory = cell_directory(orders.storage, cell.key)
    recorder = None
    if workers.rank == 0:
        fresh = orders.fresh and not attempts.read(directory)
        recorder = Recorder(orders.destination, cell, directory, fresh=fresh)

    told = -REPORT_SECONDS

    def watch(progress: Report) -> None:
        nonlocal told
        if recorder is not None:
            recorder.watch(progress)
        # All workers report together or none: the seconds are those of the first one's clock.
        if progress.phase != "waiting" and progress.seconds >= told + REPORT_SECONDS:
            told = progress.seconds
            ray.train.report(asdict(progress))

    manner = Manner(math.inf, orders.series, node_is_drained())
    try:
        with through_ray_data():
            train_until(
                cell, orders.execution, orders.storage, watch, 1.0, manner=manner, workers=workers
            )
    finally:
        if recorder is not None:
            recorder.hand_over()


def _causes(error: TrainingFailedError) -> list[Exception]:
    """Return what each worker that failed says itself."""
    if not isinstance(error, WorkerGroupError):
        return [error]
    # Ray Train wraps what a worker raised; it has no public way to the original.
    told = [getattr(each, "_base_exc", each) for each in error.worker_failures.values()]
    return told or [error]
