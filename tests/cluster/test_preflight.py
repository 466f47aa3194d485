import pytest

import assay
from assay.cell import Suite
from assay.cluster import preflight
from assay.errors import MachineError


def suite(**resources: int) -> Suite:
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


def test_a_cell_must_fit_one_node():
    nodes = [{"CPU": 2.0}, {"CPU": 3.0}]
    preflight.require_resources(suite(cpus=3), nodes)
    with pytest.raises(MachineError, match=r"asks 1 × 4 CPUs a cell; .* has 3: --set resources"):
        preflight.require_resources(suite(cpus=4), nodes)
    with pytest.raises(MachineError, match=r"asks 1 × 1 GPUs a cell; .* has 0"):
        preflight.require_resources(suite(cpus=1, gpus=1), nodes)


def test_the_parts_of_two_nodes_do_not_make_one():
    nodes = [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}]
    with pytest.raises(MachineError, match="no node has 4 CPUs and 1 GPUs"):
        preflight.require_resources(suite(cpus=4, gpus=1), nodes)
