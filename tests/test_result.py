"""The schema of result files, and every result that is committed."""

import json
from pathlib import Path

import jsonschema
import pytest

from assay.cell import Suite
from assay.chemistry.npz import load_npz
from assay.generation.metrics import edm
from assay.result import Reference, Result, read_reference, read_results, read_settings

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "result.schema.json"
PUBLISHED = sorted(path.parent for path in (ROOT / "results").glob("*/suite.json"))


def test_the_documented_schema_is_that_of_the_code():
    """After a change: python -m tests.test_result"""
    assert json.loads(SCHEMA.read_text()) == Result.model_json_schema()


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_published_results_are_whole(folder):
    suite = read_settings(Suite, folder / "suite.json")
    results, reference = read_results(folder), read_reference(folder)

    assert suite.name == folder.name
    assert isinstance(reference, Reference)
    variants = 1
    for values in suite.grid.values():
        variants *= len(values)
    assert len(results) == variants * len(suite.seeds)
    for result in results:
        jsonschema.validate(result.model_dump(mode="json"), json.loads(SCHEMA.read_text()))
        assert result.estimates.keys() >= reference.estimates.keys()
        assert result.provenance.git_commit
        assert result.provenance.git_dirty is False
        assert (folder / f"{result.provenance.cell_key}.metrics.jsonl").exists()
        assert (folder / f"{result.provenance.cell_key}.samples.npz").exists()


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_published_numbers_follow_from_the_published_samples(folder):
    for result in read_results(folder):
        samples = load_npz(folder / f"{result.provenance.cell_key}.samples.npz")
        for name, estimate in edm.evaluate(samples, None, processes=1).items():
            assert result.estimates[name] == estimate, (result.label, name)


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(Result.model_json_schema(), indent=1) + "\n")
