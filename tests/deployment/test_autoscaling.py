"""cluster.yaml's node groups under Ray's own autoscaler, which here starts processes as nodes."""

import json
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.files import ROOT
from tests.deployment.network import two_hosts
from tests.deployment.stack import environment_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = """
ray start --head --num-cpus=0 --autoscaling-config=config.json --temp-dir=$PWD/ray \
  --object-store-memory=100000000
ray job submit --address http://127.0.0.1:8265 \
  --entrypoint-num-cpus 0 --entrypoint-resources '{"driver": 1}' -- \
  python -c 'import json, ray; ray.init(); print("JOB", json.dumps(ray.cluster_resources()))'
python $NODES 1 --cpus 2 --minutes 5
python -c 'import json, ray; ray.init(address="auto"); print("NODES", json.dumps(ray.nodes()))'
python $NODES 0
"""


def launcher_config() -> dict[str, Any]:
    """Return cluster.yaml's groups for Ray's provider of fake nodes."""
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    groups = config["available_node_types"]
    for group in groups.values():
        memory = {"object_store_memory": 100_000_000}
        group["resources"] = {**group["resources"], **memory}
        group["node_config"] = {}
        group.pop("docker", None)
    return {
        "cluster_name": "fake",
        "max_workers": config["max_workers"],
        "idle_timeout_minutes": 0.2,
        "upscaling_speed": config["upscaling_speed"],
        "provider": {
            "type": "fake_multinode",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "auth": {},
        "docker": {},
        "available_node_types": groups | {"ray.head.default": groups.pop("head")},
        "head_node_type": "ray.head.default",
        **{f"{kind}_start_ray_commands": [] for kind in ("head", "worker")},
        **{f"{kind}setup_commands": [] for kind in ("", "head_", "worker_")},
        "initialization_commands": [],
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
    }


@pytest.fixture(scope="module")
def printed() -> dict[str, Any]:
    """What the script prints, by the first word of the line."""
    folder = Path(tempfile.mkdtemp(prefix="assay-"))
    try:
        with two_hosts() as (host, _):
            if host.namespace is None:
                pytest.skip("needs a namespace of its own: root, `ip` and `unshare` make one")
            (folder / "config.json").write_text(json.dumps(launcher_config()))
            (folder / "token").write_text(secrets.token_hex(32))
            settings = {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
                "RAY_FAKE_CLUSTER": "1",
                "AUTOSCALER_UPDATE_INTERVAL_S": "1",
                "NODES": str(ROOT / "docker" / "nodes.py"),
            }
            done = subprocess.run(
                [*host.machine_prefix, "bash", "-euc", SCRIPT],
                cwd=folder,
                env=environment_of(folder / "home", settings),
                capture_output=True,
                text=True,
                timeout=600,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [line.split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    return {first: json.loads(rest) for first, rest in words if first in ("JOB", "NODES")}


def test_a_waiting_job_starts_the_drivers_node_and_no_gpu(printed):
    assert printed["JOB"]["driver"] == 8
    assert "GPU" not in printed["JOB"]
    assert "CPU" not in printed["JOB"]


def test_a_gpu_that_is_asked_for_is_a_spot_nodes(printed):
    nodes = [node["Resources"] for node in printed["NODES"] if node["Alive"]]
    gpus = [(node["CPU"], node["GPU"]) for node in nodes if "GPU" in node]
    assert gpus == [(4, 1)]
