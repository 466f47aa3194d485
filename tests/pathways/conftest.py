from pathlib import Path

import pytest

from assay.store import sets


@pytest.fixture(scope="session")
def prepared_pathways(tmp_path_factory) -> Path:
    """A cache that holds the mini set of pathways."""
    cache = tmp_path_factory.mktemp("pathways-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        patch.delenv("ASSAY_DATA", raising=False)
        sets.prepare("mini_pathways")
    return cache


@pytest.fixture
def pathways(prepared_pathways, monkeypatch) -> Path:
    """The mini set of pathways as the prepared data set of this test."""
    monkeypatch.setenv("ASSAY_CACHE", str(prepared_pathways))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return prepared_pathways
