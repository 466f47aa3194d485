from pathlib import Path

import pytest

from assay import report
from tests.report.synthetic import write_suite


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
