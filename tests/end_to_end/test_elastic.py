"""A cell of one or two workers, `workers: [1, 2]`, while nodes go and come."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from assay import attempts
from assay.cluster.drills.nodes import nodes_that_come_and_go
from assay.result import read_metrics

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 400
ONE_CELL = (
    "training={batch_size: 8, validations: 1}",
    "settings={network: {size: xs}, process: {steps: 4}, validation_molecules: 8, "
    "evaluation_samples: 8}",
    "grid.architecture=[gnn]",
    "grid.process=[flow_matching]",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


class Driver:
    """The command that users type, at work in a process of its own."""

    def __init__(self, storage: Path, address: str, *overrides: str) -> None:
        self.storage, self.log = storage, storage / "log"
        words = [word for each in (*ONE_CELL, *overrides) for word in ("--set", each)]
        job = [sys.executable, str(ROOT / "jobs" / "benchmark_grid.py"), "--storage", str(storage)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*job, "--checkpoint-seconds", "1", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"RAY_ADDRESS": address},
                cwd=storage,
            )

    def starts(self) -> list[dict]:
        """Return the starts of its only cell."""
        folders = list(self.storage.glob("cells/*/attempts.jsonl"))
        return attempts.read(folders[0].parent) if folders else []

    def steps(self) -> int:
        return max((int(row["step"]) for row in self.rows()), default=0)

    def rows(self) -> list[dict]:
        found = list(self.storage.glob("cells/*/metrics.jsonl"))
        return list(read_metrics(found[0])) if found else []

    def wait_until(self, condition) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, "the driver ended early:\n" + self.log.read_text()
            assert time.monotonic() < deadline, "it takes too long:\n" + self.log.read_text()
            time.sleep(0.1)

    def end(self) -> None:
        if self.process.poll() is None:
            for each in (*psutil.Process(self.process.pid).children(recursive=True), self.process):
                each.kill()
            self.process.wait()


@pytest.fixture
def nodes(tmp_path):
    """A head that takes no cells, and two nodes of one CPU."""
    with nodes_that_come_and_go(os.environ, tmp_path / "nodes.log") as cluster:
        yield cluster


def test_a_cell_shrinks_when_a_node_goes_and_grows_when_one_comes(nodes, mini, tmp_path):
    """It would train for a quarter of an hour: Ray Train looks for new nodes once a minute only."""
    driver = Driver(tmp_path, nodes.address, "budget={steps: 20000}", "resources.workers=[1, 2]")
    try:
        driver.wait_until(lambda: driver.steps() >= 50)
        (first,) = driver.starts()
        assert first["workers"] == 2
        nodes.remove_node_of(first["pid"])
        driver.wait_until(lambda: driver.starts()[-1]["workers"] == 1)
        shrunk = driver.starts()[-1]
        driver.wait_until(lambda: driver.steps() >= shrunk["step"] + 50)
        nodes.add_node()
        driver.wait_until(lambda: driver.starts()[-1]["workers"] == 2)
        grown = driver.starts()[-1]
        driver.wait_until(lambda: driver.steps() >= grown["step"] + 50)
    finally:
        driver.end()

    assert 0 < shrunk["step"] < grown["step"]
    steps = [row["step"] for row in driver.rows()]
    assert steps == sorted(set(steps))


def test_a_cell_that_lost_half_its_workers_learns_what_one_worker_learns(nodes, mini, tmp_path):
    folders = [tmp_path / name for name in ("elastic", "alone")]
    curves = []
    for folder, workers in zip(folders, ("[1, 2]", "1"), strict=True):
        folder.mkdir()
        driver = Driver(
            folder, nodes.address, "budget={steps: 400}", f"resources.workers={workers}"
        )
        try:
            if folder is folders[0]:
                driver.wait_until(lambda driver=driver: driver.steps() >= 20)
                nodes.remove_node_of(driver.starts()[-1]["pid"])
            assert driver.process.wait(SECONDS) == 0, driver.log.read_text()
        finally:
            driver.end()
        counts = [start["workers"] for start in driver.starts()]
        # A worker that is placed where the node was, before Ray has missed it, starts once more.
        assert counts[0] == (2 if folder is folders[0] else 1)
        assert set(counts[1:]) == ({1} if folder is folders[0] else set())
        curves.append([row["train/loss"] for row in driver.rows() if "train/loss" in row])

    elastic, alone = curves
    assert len(elastic) == len(alone)
    assert elastic[:50] == pytest.approx(alone[:50], abs=1e-5)
    results = [json.loads(next(f.glob("cells/*/result.json")).read_text()) for f in folders]
    assert [each["cost"]["steps"] for each in results] == [400, 400]
