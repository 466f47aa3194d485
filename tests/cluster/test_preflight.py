from typing import Any

import pytest

import assay
from assay.cell import Suite
from assay.cluster import preflight
from assay.errors import MachineError
from assay.resources import EvaluationResources


def suite(**resources: Any) -> Suite:
    return Suite.model_validate(
        {
            "name": "toys", "title": "Toys", "family": "toy", "data": "mini",
            "grid": {"architecture": ["gnn"], "process": ["diffusion"]},
            "budget": {"steps": 1}, "resources": resources,
        }
    )  # fmt: skip


def write_version(root, version: str) -> None:
    path = root / "platform" / "assay" / "__init__.py"
    path.parent.mkdir(parents=True)
    path.write_text(f'"""Assay."""\n\n__version__ = "{version}"\n')


def test_a_job_from_another_version_of_the_repository_is_refused(tmp_path):
    preflight.require_installed_version(tmp_path)
    write_version(tmp_path, "9.9.9")
    with pytest.raises(MachineError, match=rf"assay {assay.__version__} .* version 9\.9\.9"):
        preflight.require_installed_version(tmp_path)


def test_a_job_from_the_installed_version_may_start(tmp_path):
    write_version(tmp_path, assay.__version__)
    assert preflight.require_installed_version(tmp_path) is None  # and raises nothing


def test_a_worker_must_fit_one_node():
    nodes = [{"CPU": 2.0}, {"CPU": 3.0}]
    preflight.require_resources(suite(cpus=3), nodes)
    with pytest.raises(MachineError, match=r"asks 1 × 4 CPUs for a cell; .* has 5, .* node 3: low"):
        preflight.require_resources(suite(cpus=4), nodes)
    with pytest.raises(MachineError, match=r"asks 1 × 1 GPUs for a cell; the cluster has 0"):
        preflight.require_resources(suite(cpus=1, gpus=1), nodes)


def test_the_parts_of_two_nodes_do_not_make_one():
    nodes = [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}]
    with pytest.raises(MachineError, match=r"1 × 4 CPUs and 1 GPUs for a cell; .* room for 0"):
        preflight.require_resources(suite(cpus=4, gpus=1), nodes)


def test_all_workers_of_a_cell_must_fit_the_cluster():
    nodes = [{"CPU": 8.0, "GPU": 1.0}]
    asked = suite(gpus=2, workers=4)
    with pytest.raises(MachineError, match=r"asks 4 × 2 GPUs for a cell; the cluster has 1: lower"):
        preflight.require_resources(asked, nodes)
    preflight.require_resources(asked, [{"CPU": 2.0, "GPU": 4.0}] * 2)
    with pytest.raises(MachineError, match=r"4 × 1 CPUs and 2 GPUs for a cell; .* room for 3"):
        preflight.require_resources(asked, [{"CPU": 8.0, "GPU": 3.0}] * 3)


def test_an_elastic_cell_needs_its_least_workers_only():
    preflight.require_resources(suite(workers=[2, 64]), [{"CPU": 2.0}])
    with pytest.raises(MachineError, match=r"asks 2 × 1 CPUs for a cell; the cluster has 1"):
        preflight.require_resources(suite(workers=[2, 64]), [{"CPU": 1.0}])


def test_an_evaluation_apart_must_fit_too():
    nodes = [{"CPU": 2.0}]
    apart = suite().model_copy(update={"evaluation": EvaluationResources(cpus=1, gpus=1)})
    with pytest.raises(
        MachineError, match=r"asks 1 × 1 GPUs for an evaluation; .* evaluation\.gpus"
    ):
        preflight.require_resources(apart, nodes)
