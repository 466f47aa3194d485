"""What must hold before a suite starts; every fault is one sentence."""

import re
import sys
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from ray.util.state import list_nodes
from ray.util.state.exception import RayStateApiException

import assay
from assay.cell import Suite
from assay.errors import MachineError

VERSION_LINE = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
ANSWER_SECONDS = 60.0


def require_installed_version(working_directory: Path) -> None:
    """See that the installed package is the one of the working directory, where it holds one.

    Raises:
        MachineError: a job was submitted from a repository of another version.
    """
    path = working_directory / "platform" / "assay" / "__init__.py"
    if not path.exists():
        return
    found = VERSION_LINE.search(path.read_text(encoding="utf-8"))
    here = found.group(1) if found else "unknown"
    if here != assay.__version__:
        raise MachineError(
            f"assay {assay.__version__} is installed here ({Path(assay.__file__).parent}), but the "
            f"working directory holds version {here}: install that one wherever Ray runs, or "
            "submit from the matching commit"
        )


def require_cluster(suite: Suite) -> None:
    """See that the connected cluster can run the suite.

    Raises:
        MachineError: the State API does not answer, no node has the resources of a cell, or a
            node has another Ray, Python or assay.
    """
    require_state_api()
    require_resources(suite, [node["Resources"] for node in _alive_nodes()])
    require_equal_versions()


def require_state_api() -> None:
    """See that Ray's State API answers: without it, finished trials are waited for for ever.

    Raises:
        MachineError: it does not.
    """
    try:
        # With its address, since it would else look for the only Ray of this machine.
        here = ray.get_runtime_context().gcs_address
        list_nodes(here, limit=1, timeout=int(ANSWER_SECONDS), raise_on_missing_output=False)
    except (RayStateApiException, RayError, OSError) as error:
        what = " ".join(str(error).split())[:300]
        raise MachineError(
            f"Ray's State API does not answer ({what}): start the head with its dashboard "
            "(`ray start --head --include-dashboard=true`), and with --dashboard-host=0.0.0.0 if "
            "this driver is on another node"
        ) from error


def require_resources(suite: Suite, nodes: list[dict[str, float]]) -> None:
    """See that the nodes, given by their resources, can hold a cell, and an evaluation.

    Raises:
        MachineError: they cannot; says what is lacking.
    """
    asked = suite.resources
    _require(suite, "a cell", asked.least_workers, {"CPU": asked.cpus, "GPU": asked.gpus}, nodes)
    apart = suite.evaluates_apart
    if apart is not None:
        _require(suite, "an evaluation", 1, {"CPU": apart.cpus, "GPU": apart.gpus}, nodes)


def _require(
    suite: Suite, whose: str, workers: int, asked: dict[str, int], nodes: list[dict[str, float]]
) -> None:
    wanted = {kind: count for kind, count in asked.items() if count}
    room = sum(min(int(node.get(kind, 0) // wanted[kind]) for kind in wanted) for node in nodes)
    if room >= workers:
        return
    where = "resources" if whose == "a cell" else "evaluation"
    for kind, count in wanted.items():
        there = sum(node.get(kind, 0) for node in nodes)
        most = max((node.get(kind, 0) for node in nodes), default=0)
        if there < workers * count or most < count:
            total = f"the cluster has {there:g}"
            if most < count <= there:
                total += f", its largest node {most:g}"
            raise MachineError(
                f"suite {suite.name} asks {workers} × {count} {kind}s for {whose}; {total}: lower "
                f"{where}.{kind.lower()}s{' or resources.workers' if workers > 1 else ''} with "
                "--set, or add a node"
            )
    both = " and ".join(f"{count} {kind}s" for kind, count in wanted.items())
    raise MachineError(
        f"suite {suite.name} asks {workers} × {both} for {whose}; the nodes of the cluster have "
        f"room for {room}: lower {where} with --set, or add a node"
    )


def require_equal_versions() -> None:
    """See that every node has this driver's Ray, Python and assay.

    Raises:
        MachineError: one has another, or does not answer.
    """
    ours = {"ray": ray.__version__, "Python": _python(), "assay": assay.__version__}
    for node in _alive_nodes():
        name = node["NodeManagerHostname"]
        pinned = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(versions_here).options(num_cpus=0, scheduling_strategy=pinned)
        try:
            theirs = ray.get(task.remote(), timeout=ANSWER_SECONDS)
        except RayError as error:
            fault = str(error).strip().splitlines()[-1][:300]
            raise MachineError(
                f"node {name}: assay does not answer there ({fault}); install assay "
                f"{assay.__version__} wherever Ray runs"
            ) from error
        for what, version in ours.items():
            if theirs[what] != version:
                raise MachineError(
                    f"node {name} has {what} {theirs[what]}, this driver {version}: "
                    "install the same versions wherever Ray runs"
                )


def versions_here() -> dict[str, str]:
    """Return the versions that must be equal on every node, of the process that asks."""
    return {"ray": ray.__version__, "Python": _python(), "assay": assay.__version__}


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _alive_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]
