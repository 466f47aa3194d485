"""docker/compose.yaml: valid for the compose specification, and what it promises holds."""

import itertools
import json
import re
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml

from assay.cluster.trials import DRIVER_RESOURCE
from tests.deployment.files import ROOT, image_tag

ONCE = {"create-bucket", "create-user"}
OURS = {"create-bucket", "mlflow", "create-user", "ray-head", "ray-worker", "ray-worker-gpu"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose) -> dict[str, dict[str, Any]]:
    return compose["services"]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    folder = resources.files("check_jsonschema.builtin_schemas.vendor")
    return json.loads((folder / "compose-spec.json").read_text())


def test_it_is_valid_by_the_compose_specification(compose, schema):
    jsonschema.validate(compose, schema)


def test_a_wrong_field_would_be_refused(compose, schema):
    wrong = {**compose, "services": {"s3": {**compose["services"]["s3"], "health": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="'health' was unexpected"):
        jsonschema.validate(wrong, schema)


def test_every_published_port_is_on_this_machine_alone(services):
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert sorted(published) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265"]


def test_images_are_pinned(services):
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"\d+\.\d+", tag), f"{name}: {service['image']}"
    for name in OURS:
        kind = image_tag(services[name]["image"])
        assert kind == ("gpu" if name == "ray-worker-gpu" else "cpu")


def test_services_that_stay_are_checked_and_restarted(services):
    for name, service in services.items():
        if name in ONCE:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_each_waits_until_what_it_needs_is_healthy_or_done(services):
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONCE else "service_healthy"
            assert how == {"condition": expected}, name
    order = ["ray-worker", "ray-head", "create-user", "mlflow", "create-bucket", "s3"]
    for after, before in itertools.pairwise(order):
        assert before in services[after]["depends_on"]


def test_no_service_may_gain_privileges(services):
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service
        assert "user" not in service  # ours is set in the Dockerfile, the others' in their images


def test_secrets_are_files_and_a_service_gets_only_its_own(compose, services):
    made = (ROOT / "docker" / "secrets.sh").read_text()
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        assert re.search(rf"\b{name}\b", made), f"secrets.sh does not make {name}"
        assert any(name in service["secrets"] for service in services.values()), f"{name}: unused"
    for node in ("ray-head", "ray-worker", "ray-worker-gpu"):
        expected = {"ray_token", "mlflow_user_password", "optuna_database_password"}
        assert set(services[node]["secrets"]) == expected
    assert "ray_token" not in services["mlflow"]["secrets"]


def test_no_value_of_the_environment_is_a_secret(services):
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name):
                assert str(value).startswith("/run/secrets/"), name
            assert not re.search(r"://[^/]*:[^/]*@", str(value)), name


def test_ray_nodes_do_not_reach_the_object_store(compose, services):
    assert compose["networks"]["store"] == {"internal": True}
    assert services["s3"]["networks"] == ["store"]
    for node in ("ray-head", "ray-worker", "ray-worker-gpu"):
        assert services[node]["networks"] == ["ray"]


def test_all_ray_nodes_share_the_run_store(services):
    for node in ("ray-head", "ray-worker", "ray-worker-gpu"):
        assert "runs:/home/ray/runs" in services[node]["volumes"]
        assert services[node]["environment"]["ASSAY_RUNS"] == "/home/ray/runs"


def test_the_gpu_worker_is_there_when_it_is_asked_for(services):
    assert services["ray-worker-gpu"]["profiles"] == ["gpu"]
    (device,) = services["ray-worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert not [name for name, each in services.items() if "profiles" in each and "gpu" not in name]


def test_commands_are_those_of_the_start_script(services):
    script = (ROOT / "docker" / "start.sh").read_text()
    for name in OURS:
        file, role = services[name]["command"]
        assert file == "docker/start.sh"
        assert re.search(rf"^{role}\)$", script, re.MULTILINE), role


def test_trials_that_wait_for_workers_elsewhere_sit_on_the_head():
    script = (ROOT / "docker" / "start.sh").read_text()
    head = script.partition("\nhead)\n")[2].partition(";;")[0]
    (offered,) = re.findall(r"--resources='(.*?)'", script)
    assert json.loads(offered) == {DRIVER_RESOURCE: 1}
    assert offered in head
