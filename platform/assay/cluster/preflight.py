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
    _require_state_api()
    require_resources(suite, [node["Resources"] for node in _alive_nodes()])
    _require_equal_versions()


def _require_state_api() -> None:
    # Ray's clean-up of finished trials asks the State API; without it, trials wait for ever.
    try:
        list_nodes(limit=1, timeout=int(ANSWER_SECONDS), raise_on_missing_output=False)
    except (RayStateApiException, RayError, OSError) as error:
        what = " ".join(str(error).split())[:300]
        raise MachineError(
            f"Ray's State API does not answer ({what}): start the head with its dashboard "
            "(`ray start --head --include-dashboard=true`)"
        ) from error


def require_resources(suite: Suite, nodes: list[dict[str, float]]) -> None:
    """See that one of the nodes, given by their resources, can hold a cell.

    Raises:
        MachineError: none can; says what is lacking.
    """
    asked = {"CPU": suite.resources.cpus, "GPU": suite.resources.gpus}
    if any(all(node.get(kind, 0) >= count for kind, count in asked.items()) for node in nodes):
        return
    for kind, count in asked.items():
        most = max((node.get(kind, 0) for node in nodes), default=0)
        if most < count:
            raise MachineError(
                f"suite {suite.name} asks 1 × {count} {kind}s a cell; the largest node of the "
                f"cluster has {most:g}: --set resources.{kind.lower()}s={most:g}, or add a node"
            )
    raise MachineError(
        f"suite {suite.name}: no node has {asked['CPU']} CPUs and {asked['GPU']} GPUs at once: "
        "lower resources.cpus or resources.gpus with --set, or add a node"
    )


def _require_equal_versions() -> None:
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
