import pytest

from tests.tracking import toy


@pytest.fixture(autouse=True)
def _toy_family(monkeypatch):
    toy.install(monkeypatch)
