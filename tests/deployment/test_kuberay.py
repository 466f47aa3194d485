"""docker/kuberay/rayjob.yaml: KubeRay and Kubernetes know its fields; what it promises holds."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from assay.cluster.trials import DRIVER_RESOURCE
from tests.deployment.files import ROOT, image_tag

FIELDS = yaml.safe_load((Path(__file__).parent / "kuberay_fields.yaml").read_text())
KUBERNETES = "1.34"
TYPES = {"integer": int, "number": (int, float), "boolean": bool, "string": str}


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    text = (ROOT / "docker" / "kuberay" / "rayjob.yaml").read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def cluster(objects) -> dict[str, Any]:
    return objects["RayJob"]["spec"]["rayClusterSpec"]


@pytest.fixture(scope="module")
def pods(objects, cluster) -> dict[str, dict[str, Any]]:
    """The pods that are made from the job, by the name of their group."""
    groups = {group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]}
    groups["submitter"] = objects["RayJob"]["spec"]["submitterPodTemplate"]
    groups["head"] = cluster["headGroupSpec"]["template"]
    return {
        name: {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **template["metadata"]},
            "spec": template["spec"],
        }
        for name, template in groups.items()
    }


def faults(value: Any, kind: Any, where: str) -> list[str]:
    """Return where `value` is not of the kind that kuberay_fields.yaml says."""
    if isinstance(kind, dict) and "each" in kind:
        return [
            f for i, each in enumerate(value) for f in faults(each, kind["each"], f"{where}[{i}]")
        ]
    if isinstance(kind, dict):
        return (
            [] if value in kind["one_of"] else [f"{where}: {value!r} is none of {kind['one_of']}"]
        )
    if kind in FIELDS:
        unknown = [
            f"{where}.{name}: KubeRay has no such field" for name in value.keys() - FIELDS[kind]
        ]
        known = [(name, each) for name, each in value.items() if name in FIELDS[kind]]
        return unknown + [f for n, v in known for f in faults(v, FIELDS[kind][n], f"{where}.{n}")]
    if kind == "map":
        return [
            f"{where}.{n}: {v!r} is no string" for n, v in value.items() if not isinstance(v, str)
        ]
    if kind in TYPES and not isinstance(value, TYPES[kind]):
        return [f"{where}: {value!r} is no {kind}"]
    return []


def test_kuberay_knows_every_field(objects):
    job = objects["RayJob"]
    assert job["apiVersion"] == "ray.io/v1"
    assert faults(job["spec"], "RayJobSpec", "spec") == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"shutdownAfterFinish": True}, "spec.shutdownAfterFinish: KubeRay has no such field"),
        ({"backoffLimit": "3"}, "spec.backoffLimit: '3' is no integer"),
        ({"submissionMode": "K8s"}, "spec.submissionMode: 'K8s' is none of "),
    ],
)
def test_a_wrong_field_would_be_found(objects, change, fault):
    (found,) = faults({**objects["RayJob"]["spec"], **change}, "RayJobSpec", "spec")
    assert found.startswith(fault)


def test_kubernetes_knows_every_field_of_the_pods_and_of_the_other_objects(objects, pods):
    others = [each for kind, each in objects.items() if kind != "RayJob"]
    assert pods
    assert others
    for each in (*pods.values(), *others):
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_every_pod_is_unprivileged(pods):
    for name, pod in pods.items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] >= 1000, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name


def test_ray_asks_for_a_token_and_the_cluster_ends_with_its_job(objects, cluster):
    job = objects["RayJob"]["spec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert job["shutdownAfterJobFinishes"] is True
    assert job["ttlSecondsAfterFinished"] > 0
    assert job["activeDeadlineSeconds"] > 0


def test_gpu_pods_come_from_zero_and_the_head_does_no_work(cluster):
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (gpu,) = cluster["workerGroupSpecs"]
    assert (gpu["replicas"], gpu["minReplicas"]) == (0, 0)
    assert cluster["enableInTreeAutoscaling"] is True
    limits = gpu["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"


def test_all_ray_pods_share_the_run_store(objects, pods):
    claim = objects["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("head", "gpu"):
        spec = pods[name]["spec"]
        volumes = {each["name"]: each for each in spec["volumes"]}
        mounts = {each["mountPath"]: each["name"] for each in spec["containers"][0]["volumeMounts"]}
        environment = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
        store = volumes[mounts["/mnt/assay"]]["persistentVolumeClaim"]["claimName"]
        assert store == claim["metadata"]["name"]
        assert environment["ASSAY_RUNS"].startswith("/mnt/assay/")


def test_only_pods_of_the_cluster_and_the_operator_reach_ray(objects, pods):
    policy = objects["NetworkPolicy"]["spec"]
    mine = policy["podSelector"]["matchLabels"]
    assert policy["policyTypes"] == ["Ingress"]
    for pod in pods.values():
        assert mine.items() <= pod["metadata"]["labels"].items()
    (own,), (operator,) = (rule["from"] for rule in policy["ingress"])
    assert own == {"podSelector": {"matchLabels": mine}}
    assert operator["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}


def test_images_and_ray_are_of_this_version(cluster, pods):
    import ray

    assert cluster["rayVersion"] == ray.__version__
    for pod in pods.values():
        image_tag(pod["spec"]["containers"][0]["image"])


def test_what_the_job_runs_is_in_the_image_and_asks_what_a_node_has(objects, cluster):
    entrypoint = objects["RayJob"]["spec"]["entrypoint"]
    image = (ROOT / "docker" / "Dockerfile").read_text()
    for path in re.findall(r"/home/ray/assay/(\S+)", entrypoint):
        assert (ROOT / path).exists()
        assert re.search(rf"^COPY .* {path.partition('/')[0]} ", image, re.MULTILINE)
    (gpu,) = cluster["workerGroupSpecs"]
    requests = gpu["template"]["spec"]["containers"][0]["resources"]["requests"]
    asked = re.search(r"nodes.py (\d+) --cpus (\d+) --gpus (\d+) ", entrypoint)
    assert asked is not None
    assert int(asked[1]) <= gpu["maxReplicas"]
    assert (asked[2], asked[3]) == (requests["cpu"], requests["nvidia.com/gpu"])
    assert gpu["rayStartParams"] == {"num-cpus": requests["cpu"]}
    assert f"resources.cpus={asked[2]} --set resources.gpus={asked[3]}" in entrypoint


def test_trials_that_wait_for_workers_elsewhere_sit_on_the_head(cluster):
    given = cluster["headGroupSpec"]["rayStartParams"]["resources"]
    (read_by_the_shell,) = shlex.split(given)
    assert json.loads(read_by_the_shell) == {DRIVER_RESOURCE: 1}
    for group in cluster["workerGroupSpecs"]:
        assert "resources" not in group["rayStartParams"]
