"""cluster.yaml and cluster.gcp.yaml: valid for Ray, for AWS, and what they promise holds."""

import re
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from assay.cluster.trials import DRIVER_RESOURCE
from tests.deployment.files import ROOT, image_tag, placeholders

CLOUDS = {"aws": "cluster.yaml", "gcp": "cluster.gcp.yaml"}
TO_FILL_IN = {
    "aws": {"YOUR_ADDRESS", "YOUR_REGISTRY", "YOUR_MACHINE_IMAGE", "YOUR_FILE_SYSTEM"},
    "gcp": {"YOUR_PROJECT", "YOUR_REGISTRY", "YOUR_MACHINE_IMAGE", "YOUR_FILE_SYSTEM"},
}


@pytest.fixture(params=CLOUDS)
def cloud(request) -> str:
    return request.param


@pytest.fixture
def text(cloud) -> str:
    return (ROOT / CLOUDS[cloud]).read_text()


@pytest.fixture
def config(text) -> dict[str, Any]:
    return yaml.safe_load(text)


def test_ray_accepts_it_as_ray_up_would(config):
    prepared = prepare_config(config)
    validate_config(prepared)


def test_ray_would_refuse_a_field_that_it_does_not_know(config):
    prepared = prepare_config({**config, "idle_timeout": 5})
    with pytest.raises(ValidationError, match="idle_timeout"):
        validate_config(prepared)


def test_aws_knows_every_field_of_the_nodes():
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances")
    for name, node in config["available_node_types"].items():
        request = {**node["node_config"], "MinCount": 1, "MaxCount": 1}
        report = ParamValidator().validate(request, shape.input_shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"


def test_the_head_does_no_work_and_jobs_have_a_node_for_their_drivers(config):
    nodes = config["available_node_types"]
    assert nodes[config["head_node_type"]]["resources"] == {"CPU": 0}
    assert "--num-cpus=0" in " ".join(config["head_start_ray_commands"])
    assert nodes["driver"]["resources"]["CPU"] == 0
    assert nodes["driver"]["resources"]["driver"] >= 1
    assert [name for name, node in nodes.items() if "driver" in node["resources"]] == ["driver"]


def test_trials_that_wait_for_workers_elsewhere_sit_where_no_node_is_taken_away(config):
    nodes = config["available_node_types"]
    assert [name for name, node in nodes.items() if DRIVER_RESOURCE in node["resources"]] == [
        "driver"
    ]
    assert nodes["driver"]["resources"][DRIVER_RESOURCE] >= 1


def test_the_nodes_reach_the_dashboard_of_the_head(config):
    assert "--dashboard-host=0.0.0.0" in " ".join(config["head_start_ray_commands"])


def test_gpu_nodes_come_from_zero_and_only_the_spot_group_can_be_taken_away(config):
    nodes = config["available_node_types"]
    spot = {
        name
        for name, node in nodes.items()
        if node["node_config"].get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        or node["node_config"].get("scheduling", {}).get("provisioningModel") == "SPOT"
    }
    gpus = {name for name, node in nodes.items() if node["resources"].get("GPU")}
    assert spot == {"gpu_spot"}
    assert gpus == {"gpu_spot", "gpu_on_demand"}
    assert {node["min_workers"] for node in nodes.values()} == {0}
    assert sum(node["max_workers"] for node in nodes.values()) == config["max_workers"]
    assert nodes["gpu_spot"]["priority"] > nodes["gpu_on_demand"]["priority"]


def test_ray_asks_for_the_token_that_is_copied_from_the_users_file(config):
    assert "-e RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"
    assert all(local.startswith("~/") for local in config["file_mounts"].values())


def test_only_ssh_is_open_on_aws():
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    (rule,) = config["provider"]["security_group"]["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (22, 22)
    assert [each["CidrIp"] for each in rule["IpRanges"]] == ["YOUR_ADDRESS/32"]


def test_every_node_sees_the_run_store(config):
    options = config["docker"]["run_options"]
    assert "-v /mnt/assay:/mnt/assay" in options
    assert "-e ASSAY_RUNS=/mnt/assay/runs" in options
    commands = " ".join(config["initialization_commands"])
    assert re.search(
        r"mountpoint -q /mnt/assay \|\| sudo mount -t nfs4 .*YOUR_FILE_SYSTEM", commands
    )


def test_images_are_ours_and_of_this_version(config):
    docker = config["docker"]
    assert image_tag(docker["image"]) == "gpu"
    assert image_tag(docker["head_image"]) == "cpu"
    driver = config["available_node_types"]["driver"]["docker"]
    assert image_tag(driver["worker_image"]) == "cpu"


def test_what_to_fill_in_is_short_and_nothing_else_is_anybodys(cloud, text):
    assert placeholders(text) == TO_FILL_IN[cloud] | {"YOUR_MLFLOW_SERVER"}
    assert not re.search(r"\b\d{12}\b", text), "an AWS account"
    assert not re.search(r"\b(ami|subnet|sg|vpc|fs|i)-[0-9a-f]{8,}\b", text), "a resource of AWS"
    assert not re.search(r"\bAKIA[0-9A-Z]{16}\b|\b[0-9a-f]{32,}\b", text), "a secret"
