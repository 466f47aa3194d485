from pathlib import Path

import numpy as np
import pytest

from assay import report
from assay.result import write_json
from tests.report.synthetic import result, write_suite


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one_seed")
    write_suite(folder)
    return folder


@pytest.fixture(scope="module")
def three_seeds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("three_seeds")
    write_suite(folder, seeds=(0, 1, 2))
    return folder


@pytest.fixture(scope="module")
def page(one_seed, tmp_path_factory) -> Path:
    return report.build([one_seed], tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def page_of_three_seeds(three_seeds, tmp_path_factory) -> Path:
    return report.build([three_seeds], tmp_path_factory.mktemp("pages") / "report.html")


@pytest.fixture(scope="module")
def scattered(tmp_path_factory) -> Path:
    """Three seeds whose values scatter, so that there is something to hold effects against."""
    folder = tmp_path_factory.mktemp("scattered")
    draw = np.random.default_rng(0)
    for made in write_suite(folder, seeds=(0, 1, 2)):
        quality = made.estimates["edm/atom_stability"].value / 0.7 + draw.normal(0, 0.003)
        path = folder / f"{made.provenance.cell_key}.json"
        write_json(path, result(made.cell, float(quality)))
    return folder


@pytest.fixture(scope="module")
def page_of_scattered(scattered, tmp_path_factory) -> Path:
    return report.build([scattered], tmp_path_factory.mktemp("scattered_page") / "report.html")
