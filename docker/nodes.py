#!/usr/bin/env python
"""Asks Ray's autoscaler for room for so many cells at a time, and waits until it is there.

A suite is checked against the nodes that are there, and as many of its cells run at a time as these
hold: on a cluster that starts from zero, ask first. `nodes.py 0` lets idle nodes go again.
"""

import argparse
import sys
import time

import ray
from ray.autoscaler.sdk import request_resources

LOOK_SECONDS = 5.0


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("cells", type=int, help="how many cells at a time; 0 asks for nothing")
    parser.add_argument("--cpus", type=int, default=1, help="CPUs a cell (1)")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs a cell (1)")
    parser.add_argument("--minutes", type=float, default=30, help="how long to wait (30)")
    given = parser.parse_args()
    asked = {"CPU": given.cpus, "GPU": given.gpus}
    asked = {kind: count for kind, count in asked.items() if count > 0}
    if not asked:
        parser.error("a cell takes CPUs or GPUs: give --cpus or --gpus")
    ray.init(address="auto", log_to_driver=False)
    request_resources(bundles=[asked] * given.cells)
    deadline = time.monotonic() + 60 * given.minutes
    while (room := _room(asked)) < given.cells:
        if time.monotonic() > deadline:
            print(
                f"error: after {given.minutes:g} minutes there is room for {room} of {given.cells} "
                "cells: `ray status` shows what is lacking; `nodes.py 0` takes the request back",
                file=sys.stderr,
            )
            return 1
        time.sleep(LOOK_SECONDS)
    print(f"room for {room} cells with {asked}")
    return 0


def _room(asked: dict[str, int]) -> int:
    """Return how many cells the nodes that are there can hold."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get(kind, 0) // asked[kind]) for kind in asked) for node in nodes)


if __name__ == "__main__":
    sys.exit(main())
