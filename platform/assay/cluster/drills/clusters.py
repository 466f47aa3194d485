"""Faults of the Ray cluster: stop-cluster, remove-node."""

import subprocess
import sys

from assay.cluster.drills import namespaces
from assay.cluster.drills.drill import Drill
from assay.cluster.drills.nodes import nodes_that_come_and_go
from assay.cluster.drills.ports import free_ports
from assay.cluster.drills.scene import PromiseError, Scene
from assay.cluster.drills.suite import AT_ONCE

RAY = (sys.executable, "-m", "ray.scripts.scripts")


class StopCluster(Drill):
    """`ray stop --force` under a running suite, then a fresh cluster and the same command again.

    Everything runs in a PID namespace of its own, where `ray stop`, which ends every Ray
    on a machine, finds no other. The fresh cluster has the same address; nothing of the old one's
    state is there.
    """

    fault = "`ray stop --force` and a fresh cluster, the same command again"
    namespace = namespaces.PROCESSES

    def disturb(self, scene: Scene) -> None:
        """Start a cluster and the command, stop the cluster, do both again."""
        port, dashboard, client, agent, grpc, metrics = free_ports(6)
        head = (
            "start", "--head", f"--port={port}", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}", f"--num-cpus={AT_ONCE}",
            f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}",
            f"--dashboard-agent-grpc-port={grpc}", f"--metrics-export-port={metrics}",
            f"--temp-dir={scene.temporary}", "--object-store-memory=100000000",
        )  # fmt: skip
        address = f"127.0.0.1:{port}"
        _ray(scene, *head)
        driver = scene.start(RAY_ADDRESS=address)
        key, process = scene.wait_for_a_training_cell()
        _ray(scene, "stop", "--force")
        _ray(scene, *head)
        again = scene.start(RAY_ADDRESS=address)
        scene.wait_for_recovery(scene.record(key, pid=process.pid, since=again.started))
        again.expect(0)
        if driver.wait() == 0:
            raise PromiseError("the command whose cluster was stopped ended with exit code 0")


class RemoveNode(Drill):
    """Remove a node that trains a cell from a cluster of a head and two nodes.

    The cluster is `ray.cluster_utils.Cluster`; the head takes no cells. The node's processes are
    killed at once, as when a spot instance is taken away. The command should carry the cell over
    to the node that is left.
    """

    fault = "a whole node removed"

    def disturb(self, scene: Scene) -> None:
        """Start the nodes and the command, remove one node."""
        with nodes_that_come_and_go(scene.environment, scene.folder / "nodes.log") as nodes:
            driver = scene.start(RAY_ADDRESS=nodes.address)
            key, process = scene.wait_for_a_training_cell()
            injection = scene.record(key, pid=process.pid)
            nodes.remove_node_of(process.pid)
            injection.step = scene.step(key)
            scene.wait_for_recovery(injection)
            driver.expect(0)


def _ray(scene: Scene, *words: str) -> None:
    command = [*RAY, *words]
    done = subprocess.run(
        command, env=scene.environment, capture_output=True, text=True, timeout=180, check=False
    )
    if done.returncode:
        raise PromiseError(f"ray {words[0]}: exit code {done.returncode}: {done.stderr[-1000:]}")
