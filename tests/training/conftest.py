import pytest

from assay import catalog


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """Register the toy family for the test."""
    families = {**catalog.FAMILIES, "toy": "tests.training.toy:ToyTask"}
    monkeypatch.setattr(catalog, "FAMILIES", families)
