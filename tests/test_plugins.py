"""Other packages add to the catalogs by entry points, and never take anything away."""

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay import catalog, plugins
from assay.errors import ConfigError
from assay.plugins import GROUPS, with_plugins
from assay.provenance import package_versions

OWN = {"gnn": "assay.generation.architectures.gnn:GNN"}


@pytest.fixture
def installed(monkeypatch):
    """Return a function that installs entry points, as (name, value, group) of one package."""

    def install(*entries):
        package = SimpleNamespace(name="assay-example", version="1.2")
        points = metadata.EntryPoints(
            metadata.EntryPoint(*entry)._for(package) for entry in entries
        )
        monkeypatch.setattr(plugins, "_entry_points", lambda: points)
        plugins.distributions.cache_clear()
        package_versions.cache_clear()

    yield install
    plugins.distributions.cache_clear()
    package_versions.cache_clear()


def test_an_entry_point_is_a_line_of_the_catalog(installed):
    installed(
        ("mine", "example.mine:Mine", "assay.architectures"),
        ("other", "example.other:Other", "assay.processes"),
    )

    assert with_plugins("assay.architectures", OWN) == {**OWN, "mine": "example.mine:Mine"}


def test_a_name_that_is_taken_is_refused_and_says_by_whom(installed):
    installed(("gnn", "example.mine:Mine", "assay.architectures"))

    with pytest.raises(ConfigError, match=r"example\.mine:Mine of assay-example: .* has 'gnn'"):
        with_plugins("assay.architectures", OWN)


def test_plug_ins_stand_in_the_provenance_of_results(installed):
    installed(("mine", "example.mine:Mine", "assay.architectures"))

    assert package_versions()["assay-example"] == "1.2"


def test_what_another_package_promises_and_lacks_is_one_sentence():
    with pytest.raises(ConfigError, match=r"no_such_package\.mine:Mine: cannot be imported"):
        catalog.load("no_such_package.mine:Mine")
    with pytest.raises(ConfigError, match=r"tests\.test_plugins:Mine: cannot be"):
        catalog.load("tests.test_plugins:Mine")
    with pytest.raises(ImportError):
        catalog.load("assay.no_such_module:Mine")


def test_every_group_has_a_catalog_and_is_documented():
    root = Path(catalog.__file__).parent
    used = "".join(path.read_text() for path in root.rglob("catalog.py"))
    page = (root.parents[1] / "docs" / "extending.md").read_text()

    for group in GROUPS:
        assert f'"{group}"' in used
        assert f"`{group}`" in page
