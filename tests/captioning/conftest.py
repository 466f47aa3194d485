from pathlib import Path

import pytest

from assay.store import sets


@pytest.fixture(scope="session")
def prepared_captions(tmp_path_factory) -> Path:
    """A cache that holds the mini set of captions."""
    cache = tmp_path_factory.mktemp("captions-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        patch.delenv("ASSAY_DATA", raising=False)
        sets.prepare("mini_captions")
    return cache


@pytest.fixture
def mini_captions(prepared_captions, monkeypatch) -> Path:
    """The mini set of captions as the prepared data set of this test."""
    monkeypatch.setenv("ASSAY_CACHE", str(prepared_captions))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return prepared_captions
