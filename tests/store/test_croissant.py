"""What is told of a prepared data set is what its files are."""

import hashlib
import json

import pytest

from assay.errors import ConfigError
from assay.store import sets
from assay.store.croissant import croissant, describe
from tests.test_cli import invoke


def test_croissant_names_every_file_with_its_checksum(mini):
    found = json.loads(invoke("data", "describe", "mini", "--croissant"))
    packed = sets.open_set("mini")

    assert found["@type"] == "sc:Dataset"
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert (found["name"], found["license"]) == ("mini", "Apache-2.0")
    assert found["identifier"] == packed.digest
    assert "url" not in found  # it is made here, and published nowhere
    assert {each["@id"] for each in found["distribution"]} == {
        path.name for path in packed.directory.glob("*.npy")
    }
    for each in found["distribution"]:
        content = (packed.directory / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()
        assert each["contentSize"] == f"{len(content)} B"


def test_a_description_has_licence_citation_and_counts(mini):
    found = describe("mini")
    shown = " ".join(invoke("data", "describe", "mini").split())

    assert tuple(found["counts"].values()) == sets.open_set("mini").counts
    assert found["arrays"]["positions"]["shape"][1] == 3
    for words in (found["citation"], found["digest"], "positions: <f4", "1,936 / 234 / 265"):
        assert words in shown


def test_a_set_in_shards_is_described_by_the_one_it_was_cut_from(mini, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path))
    invoke("data", "shard", "mini", "--records", "512")
    sets.prepare("mini@512")

    with pytest.raises(ConfigError, match="describe mini, of which they were cut"):
        croissant("mini@512")
