import json

import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import DataError
from tests.pathways.metrics import tiny as t


@pytest.fixture
def graphs(tmp_path):
    path = tmp_path / "g.jsonl"
    lines = [{"nodes": nodes, "edges": edges} for nodes, edges in t.random_graphs(6)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def invoke(*words):
    return CliRunner().invoke(app, ["evaluate", "pathways", *map(str, words)])


def test_json_to_standard_output_is_nothing_but_json(graphs):
    result = invoke(graphs, "--reference", graphs, "--json", "-")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["metrics"]["mmd/in_degree"]["value"] == pytest.approx(0, abs=1e-12)


def test_json_to_a_file_is_what_the_table_shows(graphs, tmp_path):
    out = tmp_path / "scores.json"
    result = invoke(graphs, "--json", out)

    assert result.exit_code == 0
    assert "connected" in result.stdout
    assert json.loads(out.read_text())["provenance"]["samples"] == "g.jsonl"


def test_bad_input_is_an_error_for_users(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"nodes": ["a", "b"], "edges": [["a", "c"]]}\n')

    error = invoke(path).exception
    assert isinstance(error, DataError)
    assert str(error).startswith(f"{path}: holds no graph that can be used: line 1: edges[0]: 'c'")


def test_the_help_shows_the_format():
    result = invoke("--help")

    assert result.exit_code == 0
    assert "nodes" in result.stdout
    assert "FILE.jsonl" in result.stdout
