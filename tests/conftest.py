"""Fixtures that several rooms share."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
# torch lists what makes tensors when a device is first entered, and keeps the list. transformers
# enters one with a `linspace` of its own in the place of torch's, which then heeds no device.
with torch.device("cpu"):
    torch.empty(0)


@pytest.fixture(scope="session")
def assay_data() -> Path:
    """The folder of real data sets; skips where there is none."""
    given = os.environ.get("ASSAY_DATA")
    if not given:
        pytest.skip("needs real data: set ASSAY_DATA to the folder that holds it")
    return Path(given).absolute()


@pytest.fixture(scope="session")
def prepared_mini(tmp_path_factory, worker_id) -> Path:
    """A cache that holds the mini set, made once for all workers of a test run."""
    from assay.store import sets

    base = tmp_path_factory.getbasetemp()
    cache = (base if worker_id == "master" else base.parent) / "mini-cache"
    before = os.environ.get("ASSAY_CACHE")
    os.environ["ASSAY_CACHE"] = str(cache)
    try:
        sets.prepare("mini")
    finally:
        os.environ.pop("ASSAY_CACHE")
        if before is not None:
            os.environ["ASSAY_CACHE"] = before
    return cache


@pytest.fixture
def mini_crystals(mini) -> Path:
    """The mini set of crystals, beside that of molecules."""
    from assay.store import sets

    sets.prepare("mini_crystals")
    return mini


@pytest.fixture
def mini(prepared_mini, monkeypatch) -> Path:
    """The mini set as the prepared data set of this test."""
    monkeypatch.setenv("ASSAY_CACHE", str(prepared_mini))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return prepared_mini


@pytest.fixture(scope="module")
def trained_folder(prepared_mini, tmp_path_factory) -> Iterator[Path]:
    """The folder of a cell of the mini grid that was trained for three steps."""
    from tests.test_cli import MINI, TINY, invoke

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_mini))
        patch.delenv("ASSAY_DATA", raising=False)
        storage = tmp_path_factory.mktemp("runs")
        cell = ["--cell", "gnn-diffusion"]
        invoke("train", MINI, *cell, "--storage", str(storage), *TINY)
        (path,) = storage.glob("cells/*/result.json")
        yield path.parent


@pytest.fixture
def two_threads() -> Iterator[None]:
    """PyTorch with two threads for this test."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def two_steps(mini, tmp_path, monkeypatch) -> Path:
    """A folder with our suites, whose cells `assay.cells` lets take two steps; EDM alone scores."""
    import assay
    from tests.test_api import TWO_STEPS
    from tests.test_cli import ROOT

    cells, evaluate = assay.cells, assay.evaluate
    monkeypatch.setattr(assay, "cells", lambda suite, *given: cells(suite, *given, *TWO_STEPS))
    monkeypatch.setattr(assay, "evaluate", partial(evaluate, protocols=["edm"]))
    (tmp_path / "docs").mkdir()
    (tmp_path / "sweeps").symlink_to(ROOT / "sweeps")
    return tmp_path
