"""What is told of a prepared data set is what its files are."""

import hashlib
import json
import re
from datetime import UTC, datetime

import pytest

from assay import catalog
from assay.errors import ConfigError
from assay.store import sets
from assay.store.croissant import CONTEXT, creators, croissant, describe, licence, year_of
from assay.store.sets import data_set_of
from tests.test_cli import invoke

REQUIRED = {
    "sc:Dataset": {"@context", "@type", "conformsTo", "name", "description", "license", "url",
                   "creator", "datePublished"},
    "cr:FileObject": {"@id", "name", "contentUrl", "encodingFormat", "sha256"},
    "cr:RecordSet": {"@id", "name", "field"},
    "cr:Field": {"@id", "name", "dataType"},
    "sc:Organization": {"name"},
}  # fmt: skip
"""What Croissant 1.0 demands of each type: docs.mlcommons.org/croissant/docs/croissant-spec."""
SCHEMA_ORG = {"name", "description", "license", "url", "creator", "datePublished", "version",
              "identifier", "distribution", "contentUrl", "contentSize", "encodingFormat",
              "sha256"}  # fmt: skip


def test_croissant_names_every_file_with_its_checksum(mini):
    found = json.loads(invoke("data", "describe", "mini", "--croissant"))
    packed = sets.open_set("mini")

    assert found["@type"] == "sc:Dataset"
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert (found["name"], found["version"]) == ("mini", "1.0.0")
    assert found["license"] == "https://spdx.org/licenses/Apache-2.0.html"
    assert found["identifier"] == packed.digest
    assert {each["@id"] for each in found["distribution"]} == {
        path.name for path in packed.directory.glob("*.npy")
    }
    for each in found["distribution"]:
        content = (packed.directory / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()
        assert each["contentSize"] == f"{len(content)} B"


def nodes(found):
    """Yield every node of a JSON-LD document; rows of data are none."""
    if isinstance(found, dict):
        yield found
        for key, value in found.items():
            if key not in ("@context", "data"):
                yield from nodes(value)
    elif isinstance(found, list):
        for each in found:
            yield from nodes(each)


def test_croissant_has_what_the_specification_demands(mini):
    found = croissant("mini")
    typed = [node for node in nodes(found) if "@type" in node]

    assert {node["@type"] for node in typed} == REQUIRED.keys()
    for node in typed:
        assert all(node.get(name) for name in REQUIRED[node["@type"]]), node
    for node in nodes(found):
        assert {name for name in node if "@" not in name} <= CONTEXT.keys() | SCHEMA_ORG
    known = {node["@id"] for node in typed if "@id" in node}
    assert len(known) == sum("@id" in node for node in typed)
    for records in found["recordSet"]:
        fields = [field["@id"] for field in records["field"]]
        assert records["key"]["@id"] in fields
        assert all(list(row) == fields for row in records["data"])


def test_croissant_has_splits_and_arrays_as_rows(mini):
    splits, arrays = (each["data"] for each in croissant("mini")["recordSet"])

    assert splits == [
        {"splits/name": "train", "splits/records": 1936},
        {"splits/name": "validation", "splits/records": 234},
        {"splits/name": "test", "splits/records": 265},
    ]
    (positions,) = [row for row in arrays if row["arrays/file"] == "positions.npy"]
    assert positions["arrays/dtype"] == "<f4"
    assert re.fullmatch(r"\[\d+, 3\]", positions["arrays/shape"])


def test_a_set_that_is_made_here_is_where_its_files_are_since_they_were_made(mini):
    found, packed = croissant("mini"), sets.open_set("mini")

    assert found["url"] == packed.directory.as_uri()
    assert found["creator"] == [{"@type": "sc:Organization", "name": "The maintainers of assay"}]
    made = datetime.fromtimestamp((packed.directory / "manifest.json").stat().st_mtime, UTC)
    assert found["datePublished"] == made.date().isoformat()


@pytest.mark.parametrize(
    ("name", "who", "year"),
    [
        ("qm9", ["Ramakrishnan et al."], "2014"),
        ("mp20", ["Jain et al.", "Xie et al."], "2022"),
        ("ogbl_ddi", ["Hu et al.", "Wishart et al."], "2020"),
        ("biosnap", ["Zitnik et al."], "2018"),
        ("chebi20", ["Edwards et al."], "2022"),
        ("captions_pool", ["Liu et al.", "Zeng et al.", "Edwards et al."], "2023"),
        ("metacyc", ["Caspi et al."], "2020"),
        ("gcm_planets", ["Adams, Colose, Merrelli, Turnbull and Kane"], "2024"),
        ("planets", ["NASA Exoplanet Archive", "Caspi et al.", "Madin et al.", "Sato et al."],
         "2020"),
    ],
)  # fmt: skip
def test_creators_and_year_are_those_of_the_citation(name, who, year):
    assert creators(data_set_of(name)) == who
    assert year_of(data_set_of(name).citation) == year


def test_every_set_has_creators_and_an_address_or_is_made_here():
    for name in catalog.DATA_SETS:
        data_set = data_set_of(name)
        assert all(creators(data_set))
        assert data_set.upstream is None or re.match("https?://", data_set.upstream), name
        assert data_set.upstream is None or year_of(data_set.citation), name


def test_a_licence_is_an_address_where_spdx_has_one():
    assert licence("CC-BY-4.0") == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert licence("CC-BY-4.0 (ChEBI)") == "CC-BY-4.0 (ChEBI)"


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
