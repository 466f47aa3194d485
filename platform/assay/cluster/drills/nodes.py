"""A cluster of a head and two nodes, for remove-node: `python -m assay.cluster.drills.nodes`.

It prints its address, then removes, for every process id that it reads, that worker's node.
"""

import sys

import psutil
from ray.cluster_utils import Cluster

from assay.cluster.drills.ports import free_ports
from assay.cluster.session import LOCALHOST, OBJECT_STORE_BYTES


def main() -> None:
    """Serve until standard input ends."""
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
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES) for _ in range(2)]
    print(f"nodes: {cluster.address}", flush=True)  # noqa: T201
    for line in sys.stdin:
        parents = {parent.pid for parent in psutil.Process(int(line)).parents()}
        (found,) = [node for node in nodes if parents & _raylets(node)]
        cluster.remove_node(found, allow_graceful=False)
        print("nodes: removed", flush=True)  # noqa: T201


def _raylets(node: object) -> set[int]:
    return {info.process.pid for info in node.all_processes["raylet"]}  # pyright: ignore


if __name__ == "__main__":
    main()
