"""The schema of result files, and every result that is committed."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import jsonschema
import pytest

from assay.cell import Suite
from assay.chemistry.npz import load_crystals, load_npz
from assay.generation.metrics import cdvae, edm
from assay.generation.metrics.protocol import Scoring
from assay.result import Reference, Result, read_reference, read_results, read_settings
from assay.store import sets

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "result.schema.json"
PUBLISHED = sorted(path.parent for path in (ROOT / "results").glob("*/suite.json"))
SAMPLED = [
    folder
    for folder in PUBLISHED
    if json.loads((folder / "suite.json").read_text())["family"] == "generation"
]
"""Suites whose samples are published: those of other families may repeat records of their data."""


def test_the_documented_schema_is_that_of_the_code():
    """After a change: python -m tests.test_result"""
    assert json.loads(SCHEMA.read_text()) == Result.model_json_schema()


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_published_results_are_whole_and_of_their_suite(folder):
    """A suite in progress may lack cells; what is there is complete."""
    suite = read_settings(Suite, folder / "suite.json")
    results, reference = read_results(folder), read_reference(folder)
    variants = {"-".join(values) for values in product(*suite.grid.values())}
    rungs = len(suite.ladder.rungs()) if suite.ladder else 1
    found = Counter((result.label, result.cell["seed"]) for result in results)

    assert suite.name == folder.name
    assert isinstance(reference, Reference)
    assert found.keys() <= set(product(variants, suite.seeds))
    assert 0 < max(found.values()) <= rungs
    for result in results:
        jsonschema.validate(result.model_dump(mode="json"), json.loads(SCHEMA.read_text()))
        assert result.estimates.keys() >= reference.estimates.keys()
        assert result.provenance.git_commit
        assert result.provenance.git_dirty is False
        assert (folder / f"{result.provenance.cell_key}.metrics.jsonl").exists()
        if folder in SAMPLED:
            assert (folder / f"{result.provenance.cell_key}.samples.npz").exists()


@pytest.mark.parametrize("folder", SAMPLED, ids=lambda folder: folder.name)
def test_published_numbers_follow_from_the_published_samples(folder):
    for result in read_results(folder):
        samples = folder / f"{result.provenance.cell_key}.samples.npz"
        for name, estimate in scored(samples, result.cell["data"]["name"]).items():
            assert result.estimates[name] == estimate, (result.label, name)


def scored(samples, data):
    """What samples say of themselves, with no data set beside them."""
    if sets.kind_of(data) == "molecules":
        return edm.evaluate(load_npz(samples), None, processes=1)
    return cdvae.CDVAE().evaluate(Scoring(load_crystals(samples)))


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(Result.model_json_schema(), indent=1) + "\n")
