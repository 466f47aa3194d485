"""A cluster of a head and nodes that come and go, in a process of its own.

`python -m assay.cluster.drills.nodes` serves it; `nodes_that_come_and_go` starts that process.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

from assay.cluster.drills.ports import free_ports
from assay.cluster.session import LOCALHOST, OBJECT_STORE_BYTES
from assay.errors import MachineError

MARK = "nodes: "
ADD = "add"


class Nodes:
    """The cluster, as the process that started it sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._answer()
        """What RAY_ADDRESS should be."""

    def remove_node_of(self, pid: int) -> None:
        """Kill every process of the node that a worker process belongs to."""
        self._ask(str(pid))

    def add_node(self) -> None:
        """Add a node of one CPU."""
        self._ask(ADD)

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                return line.removeprefix(MARK).strip()
        raise MachineError("the cluster that nodes should join ended")


@contextlib.contextmanager
def nodes_that_come_and_go(environment: Mapping[str, str], log: Path) -> Iterator[Nodes]:
    """Yield a cluster of a head, which takes no cells, and two nodes of one CPU; end it after.

    Raises:
        MachineError: the cluster ended by itself; `log` says why.
    """
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "assay.cluster.drills.nodes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            env=environment,
            start_new_session=True,
            text=True,
        )
    with process:
        try:
            yield Nodes(process)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            process.kill()


def main() -> None:
    """Serve until standard input ends: a process id removes its node, `add` adds a node."""
    (dashboard,) = free_ports(1)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": True,
            "dashboard_host": LOCALHOST,
            "dashboard_port": dashboard,
            "object_store_memory": OBJECT_STORE_BYTES,
        },
    )
    nodes = [_add(cluster) for _ in range(2)]
    print(f"{MARK}{cluster.address}", flush=True)  # noqa: T201
    for line in map(str.strip, sys.stdin):
        if line == ADD:
            nodes.append(_add(cluster))
        else:
            parents = {parent.pid for parent in psutil.Process(int(line)).parents()}
            (found,) = [node for node in nodes if parents & _raylets(node)]
            nodes.remove(found)
            cluster.remove_node(found, allow_graceful=False)
        print(f"{MARK}done", flush=True)  # noqa: T201


def _add(cluster: Cluster) -> object:
    return cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES)


def _raylets(node: object) -> set[int]:
    return {info.process.pid for info in node.all_processes["raylet"]}  # pyright: ignore


if __name__ == "__main__":
    main()
