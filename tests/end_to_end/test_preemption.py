"""A node that is about to be taken away: its cells save at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ray.util.state import list_actors

from assay import attempts
from assay.cluster.drills.nodes import nodes_that_come_and_go
from assay.result import read_metrics

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 200
NEVER = "1000000"
LONG = (
    "budget={steps: 100000}",
    "training={batch_size: 8, validations: 0, gradient_clip: 1.0}",
    "settings={network: {size: xs}, process: {steps: 4}, evaluation_samples: 8}",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def nodes(tmp_path):
    """A head that takes no cells, and two nodes; its address."""
    with nodes_that_come_and_go(os.environ, tmp_path / "nodes.log") as cluster:
        yield cluster.address


def end(process) -> None:
    if process.poll() is None:
        for each in (*psutil.Process(process.pid).children(recursive=True), process):
            each.kill()
        process.wait()


def wait_for(condition) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)


def test_a_cell_saves_as_soon_as_its_node_is_drained(nodes, mini, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", nodes)
    job = [sys.executable, str(ROOT / "jobs" / "benchmark_grid.py"), "--storage", str(tmp_path)]
    words = [word for override in LONG for word in ("--set", override)]
    with (tmp_path / "log").open("wb") as log:
        driver = subprocess.Popen(
            [*job, "--cell", "gnn-flow_matching", "--checkpoint-seconds", NEVER, *words],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: list(tmp_path.glob("cells/*/attempts.jsonl")))
        (cell,) = (path for path in tmp_path.glob("cells/*") if path.is_dir())
        (first,) = attempts.read(cell)
        (actor,) = list_actors(nodes, filters=[("pid", "=", str(first["pid"]))])
        assert not list(cell.glob("checkpoints/step-*"))
        drain(nodes, actor.node_id)

        wait_for(lambda: list(cell.glob("checkpoints/step-*")))

        assert driver.poll() is None
        assert all(row["step"] < 100_000 for row in read_metrics(cell / "metrics.jsonl"))
    finally:
        end(driver)


def drain(address: str, node: str) -> None:
    words = (
        "drain-node", "--address", address, "--node-id", node, "--reason",
        "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot instance reclaimed",
        "--deadline-remaining-seconds", "600",
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "ray.scripts.scripts", *words], check=True, timeout=60)
