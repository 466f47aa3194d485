import gzip
import json

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.metrics.files import MOST_NODES, json_lines, read_graphs
from tests.pathways import made

GOOD = {"nodes": ["a", "b"], "edges": [["a", "b"]]}


def written(path, *lines):
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    return path


def test_ends_are_names_or_positions_and_edges_lists_or_objects(tmp_path):
    line = {
        "nodes": ["glc", 17, None],
        "edges": [["glc", 1], {"s": 1, "t": 2, "reversible": True}, ["17", 2]],
        "env": {"pH": 7, "temperature": None},
    }
    graphs, rejected = read_graphs(written(tmp_path / "g.jsonl", line, "", GOOD))

    assert rejected == []
    assert graphs.names_of(0) == ["glc", "17", None]
    assert graphs.edges_of(0).T.tolist() == [[0, 1], [1, 2]]
    assert graphs.reversible.tolist() == [False, True, False]
    assert graphs.environment[0, 0] == 7
    assert graphs.environment_known.tolist() == [[True, False, False, False], [False] * 4]
    assert list(graphs.ids) == ["line 1", "line 3"]


def test_a_packed_file_is_read_too(tmp_path):
    path = tmp_path / "g.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))

    assert len(read_graphs(path)[0]) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{nodes", "is not JSON"),
        ("[1]", "is not an object"),
        ({"edges": []}, "nodes: is missing, or no list"),
        ({"nodes": ["a"]}, "edges: is missing, or no list"),
        ({"nodes": [], "edges": []}, "nodes: is empty"),
        ({"nodes": [1.5], "edges": []}, "nodes[0]: '1.5' is no name, whole number or null"),
        ({"nodes": [True], "edges": []}, "nodes[0]: 'True' is no name"),
        ({"nodes": [0] * (MOST_NODES + 1), "edges": []}, "nodes: are 501, of which at most 500"),
        ({**GOOD, "edges": [["a"]]}, "edges[0]: is neither [source, target] nor"),
        ({**GOOD, "edges": [7]}, "edges[0]: is neither"),
        ({**GOOD, "edges": [[0, 2]]}, "edges[0]: there is no node 2; 2 nodes are counted from 0"),
        ({**GOOD, "edges": [[0, -1]]}, "edges[0]: there is no node -1"),
        ({**GOOD, "edges": [[0, 1], [0, "c"]]}, "edges[1]: 'c' is no node"),
        ({**GOOD, "edges": [[0, True]]}, "edges[0]: 'True' is no position"),
        ({**GOOD, "edges": [{"s": 0}]}, "edges[0]: 'None' is no position"),
        ({**GOOD, "edges": [["a", 0]]}, "edges[0]: leads from a node to itself"),
        ({"nodes": ["a", "a"], "edges": [["a", 1]]}, "edges[0]: 'a' are 2 nodes; give positions"),
        (
            {**GOOD, "edges": [{"s": 0, "t": 1, "reversible": 1}]},
            "edges[0].reversible: '1' is not true or false",
        ),
        ({**GOOD, "env": 7}, "env: is not an object"),
        ({**GOOD, "env": {"temperatur": 7}}, "env: unknown quantity 'temperatur'; did you mean"),
        ({**GOOD, "env": {"pH": "7"}}, "env.pH: '7' is not a number"),
    ],
)
def test_a_line_that_is_no_graph_is_set_aside_with_the_reason(tmp_path, line, reason):
    graphs, rejected = read_graphs(written(tmp_path / "g.jsonl", GOOD, line, GOOD))

    assert len(graphs) == 2
    (entry,) = rejected
    assert entry.record == 2
    assert entry.reason.startswith(reason)


def test_a_file_without_a_graph_is_refused_with_file_line_and_key(tmp_path):
    path = written(tmp_path / "g.jsonl", {**GOOD, "edges": [[0, 2]]})

    with pytest.raises(DataError, match=r"g\.jsonl: .*: line 1: edges\[0\]: there is no node 2"):
        read_graphs(path)
    with pytest.raises(DataError, match=r"holds no graph that can be used$"):
        read_graphs(written(tmp_path / "empty.jsonl", ""))
    with pytest.raises(DataError, match="nowhere"):
        read_graphs(tmp_path / "nowhere.jsonl")


def test_what_is_written_is_read_as_the_same_graphs(tmp_path):
    graphs, path = made.graphs(count=6), tmp_path / "graphs.jsonl"

    path.write_text(json_lines(graphs))
    again, rejected = read_graphs(path)

    assert rejected == []
    for k in range(6):
        assert again.names_of(k) == graphs.names_of(k)
        np.testing.assert_array_equal(again.edges_of(k), graphs.edges_of(k))
    np.testing.assert_array_equal(again.reversible, graphs.reversible)
    np.testing.assert_array_equal(again.environment_known, graphs.environment_known)
    np.testing.assert_allclose(again.environment, graphs.environment, rtol=1e-6)
