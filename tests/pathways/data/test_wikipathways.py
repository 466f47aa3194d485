"""Drawn pathways that the tests write."""

import gzip
import json

import pytest

from assay.errors import DataError
from assay.pathways.data.faults import Faults
from assay.pathways.data.wikipathways import read_wikipathways


def node(label, **ids):
    return {"label": label, "db": "", "id": "", **ids}


def edge(source, target, kind="main", **more):
    return {"s": source, "t": target, "kind": kind, "reversible": False, **more}


LINE = {
    "id": "WP1", "family": "WP1", "split": "train",
    "nodes": [
        node("O₂", kegg="C00007"), node("glucose", chebi="4167"),
        node("lactone", db="HMDB", id="HMDB1"), node("acid"), node("glucose again", chebi="4167"),
    ],
    "edges": [
        edge(0, 2, "side_in"), edge(1, 2, rhea="11"), edge(2, 3, "side_out"), edge(3, 4),
    ],
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def found(*lines, faults=None):
        path = tmp_path / "pathways.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
        return read_wikipathways(path, faults or Faults())

    return found


def test_a_drawing_is_a_graph_without_currency(read):
    graphs = read(LINE)

    # Without ids its label names a node; what is drawn twice stays two nodes.
    assert graphs.names_of(0) == ["CHEBI:4167", "HMDB:HMDB1", "acid", "CHEBI:4167 (2)"]
    assert graphs.edges_of(0).T.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert graphs.main.tolist() == [True, False, True]
    assert list(graphs.reaction_names) == ["RHEA:11"]
    assert graphs.consumes_oxygen.tolist() == [1]
    assert not graphs.environment_known.any()


def test_a_drawing_without_oxygen_may_have_left_it_out(read):
    assert read({**LINE, "edges": LINE["edges"][1:]}).consumes_oxygen.tolist() == [-1]


def test_small_drawings_are_left_out_and_listed(read):
    faults = Faults(refuse=False)
    graphs = read(LINE, {**LINE, "id": "WP2", "edges": LINE["edges"][:2]}, faults=faults)

    assert len(graphs) == 1
    assert faults.counted() == "1 pathways of fewer than 3 nodes"
    assert "line 2: pathway WP2" in faults.sentences()[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edges": [edge(0, 5)]}, "edge 0->5 names a node"),
        ({"edges": [*LINE["edges"], edge(1, 2)]}, "edge 0->1 is given twice"),
        ({"edges": [{"s": 0}]}, "a node or edge is malformed"),
        ({"nodes": [1, 2, 3, 4, 5]}, "a node or edge is malformed"),
        ({"split": "x"}, "there is no split 'x'"),
    ],
)
def test_a_malformed_drawing_is_named(read, change, sentence):
    with pytest.raises(DataError, match=f"pathways.jsonl.gz, line 1: pathway WP1: {sentence}"):
        read({**LINE, **change}, faults=Faults(refuse=False))
