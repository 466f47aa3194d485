from pathlib import Path

import pytest
import torch

from assay.interactions.task import InteractionsTask
from assay.store import sets
from tests.interactions.mini_cells import cells


@pytest.fixture(scope="session")
def prepared_links(tmp_path_factory) -> Path:
    """A cache that holds the mini graph."""
    cache = tmp_path_factory.mktemp("links-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        patch.delenv("ASSAY_DATA", raising=False)
        sets.prepare("mini_links")
    return cache


@pytest.fixture
def links(prepared_links, monkeypatch) -> Path:
    """The mini graph as the prepared data set of this test."""
    monkeypatch.setenv("ASSAY_CACHE", str(prepared_links))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return prepared_links


@pytest.fixture
def task(links) -> InteractionsTask:
    return InteractionsTask(cells("settings.negatives=3")[0])


@pytest.fixture
def model(task):
    torch.manual_seed(0)
    return task.model(task.data())
