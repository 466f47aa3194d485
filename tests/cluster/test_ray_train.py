"""What Ray Train relies on, when a node is lost and where there is a second cluster."""

import os
import time
from types import SimpleNamespace

import pytest
import ray
from ray.data._internal.cluster_autoscaler import default_autoscaling_coordinator as of_ray
from ray.train.v2._internal import constants
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from assay.cluster import ray_train, session
from assay.cluster.drills.nodes import nodes_that_come_and_go
from assay.cluster.ray_train import hold_coordinator, tell_which_cluster
from assay.errors import MachineError
from assay.resources import Resources

QUESTION_SECONDS = 60


@ray.remote(num_cpus=1, max_retries=0)
def make_coordinator() -> tuple[int, str]:
    """Make it as Ray Train does, and return where."""
    coordinator = of_ray.get_or_create_autoscaling_coordinator()
    return os.getpid(), ray.get(where(coordinator), timeout=QUESTION_SECONDS)


def wait_until_missed(node_id: str) -> None:
    deadline = time.monotonic() + QUESTION_SECONDS
    while any(node["NodeID"] == node_id and node["Alive"] for node in ray.nodes()):
        assert time.monotonic() < deadline, "Ray does not miss the node"
        time.sleep(0.2)


def where(coordinator) -> ray.ObjectRef:
    return coordinator.__ray_call__.remote(lambda self: ray.get_runtime_context().get_node_id())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_is_made_anew_on_the_drivers_node_when_its_own_is_lost(tmp_path, monkeypatch):
    with nodes_that_come_and_go(os.environ, tmp_path / "log") as nodes:
        monkeypatch.setenv("RAY_ADDRESS", nodes.address)
        with session.connect():
            here = ray.get_runtime_context().get_node_id()
            other = next(
                node["NodeID"]
                for node in ray.nodes()
                if node["Resources"].get("CPU") and node["NodeID"] != here
            )
            there = NodeAffinitySchedulingStrategy(other, soft=False)
            task = make_coordinator.options(scheduling_strategy=there).remote()
            pid, made_on = ray.get(task, timeout=QUESTION_SECONDS)
            assert made_on == other

            hold_coordinator()  # leaves one that answers alone
            left = of_ray.get_or_create_autoscaling_coordinator()
            assert ray.get(where(left), timeout=QUESTION_SECONDS) == other

            nodes.remove_node_of(pid)
            wait_until_missed(other)  # until then its actor may still answer
            hold_coordinator()
            new = of_ray.get_or_create_autoscaling_coordinator()
            assert ray.get(where(new), timeout=QUESTION_SECONDS) == here


def test_the_clean_up_is_told_of_the_runs_cluster(monkeypatch):
    context = SimpleNamespace(gcs_address="192.0.2.7:6379")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")  # as of `ray job submit`
    monkeypatch.setattr(constants, "ENV_VARS_TO_PROPAGATE", propagated := set())
    monkeypatch.setattr(ray_train, "ENV_VARS_TO_PROPAGATE", propagated)

    tell_which_cluster()
    assert constants.get_env_vars_to_propagate() == {"RAY_ADDRESS": "192.0.2.7:6379"}


def test_one_that_never_answers_is_a_sentence(monkeypatch):
    def gone():
        raise ValueError("no such node")

    monkeypatch.setattr(ray_train, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(of_ray, "get_or_create_autoscaling_coordinator", gone)
    with pytest.raises(MachineError, match=r"elastic workers need, .*no such node.*`ray status`"):
        hold_coordinator()


def test_a_range_of_workers_is_elastic_and_a_number_is_not():
    assert Resources(workers=(1, 2)).is_elastic
    assert not Resources(workers=2).is_elastic
