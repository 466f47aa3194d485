"""Adjacencies in NPZ files that the tests write."""

import json
import zipfile

import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.pathways.batches import records_of
from assay.pathways.data.npz import LARGEST, load_npz, pathway_of_adjacency, read_npz
from tests.pathways import made

CHAIN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])


@pytest.fixture
def write(tmp_path):
    def written(**arrays):
        path = tmp_path / "graph.npz"
        np.savez(path, **arrays)
        return path

    return written


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_a_bare_adjacency_is_a_graph_of_unnamed_nodes(write, kind):
    data = load_npz(write(adjacency=CHAIN.astype(kind)))

    assert data.edge_index.tolist() == [[0, 1], [1, 2]]
    assert data.num_nodes == 3
    assert data.compound.tolist() == [-1, -1, -1]
    assert not data.environment_known.any()
    assert data.pathway_id == "graph"
    data.validate()


def test_a_model_scores_a_bare_adjacency(write):
    """In one batch with another, whose nodes have names; neither learns of its company."""
    bare = read_npz(write(adjacency=CHAIN))
    named = pathway_of_adjacency(np.roll(np.eye(4), 1, axis=1), "p", "here", names=list("abcd"))
    alone, both = (records_of(some, {}, "here") for some in ([bare], [bare, named]))
    model = made.vae().eval()

    first, second = (some.batch(np.arange(len(some))) for some in (alone, both))

    assert first.adjacency_BNN[0].tolist() == CHAIN.astype(bool).tolist()
    assert not first.features_BNF.any()
    scores, others = model.edge_logits(first)[0], model.edge_logits(second)[0, :3, :3]
    off = ~torch.eye(3, dtype=torch.bool)
    torch.testing.assert_close(others[off], scores[off], rtol=1e-4, atol=1e-5)


def test_rows_are_sources():
    pathway = pathway_of_adjacency(CHAIN.T, "p", "here")

    assert sorted(pathway.edges) == [(1, 0), (2, 1)]


def test_environment_and_names_are_read_in_order(write):
    meta = json.dumps({"id": "glycolysis", "names": ["A", "B", "C"], "made by": "hand"})
    path = write(adjacency=CHAIN, env=np.array([7, 310, 0.21, np.nan]), meta=np.array(meta))

    pathway, data = read_npz(path), load_npz(path)

    assert pathway.nodes == ["A", "B", "C"]
    assert pathway.environment == (7, 310, 0.21, None)
    assert data.pathway_id == "glycolysis"
    assert data.environment_known.tolist() == [[True, True, True, False]]
    assert data.environment[0, :3].tolist() == pytest.approx([7, 310, 0.21])


def test_a_graph_that_is_too_large_is_cut_only_if_asked(write):
    ring = np.roll(np.eye(60, dtype=int), 1, axis=1)
    path = write(adjacency=ring)

    with pytest.raises(DataError, match=r"graph.npz: has 60 nodes .* ask for a part"):
        read_npz(path)
    assert len(read_npz(path, most_nodes=50, seed=3).nodes) == 50


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"matrix": CHAIN}, "has no array 'adjacency'"),
        ({"adjacency": CHAIN[:2]}, r"adjacency has shape \(2, 3\); give a square one"),
        ({"adjacency": CHAIN[0]}, r"adjacency has shape \(3,\)"),
        ({"adjacency": CHAIN * 0.5}, "adjacency holds 0.5 at row 0, column 1"),
        ({"adjacency": np.where(CHAIN, np.nan, 0)}, "adjacency holds nan"),
        ({"adjacency": -CHAIN}, "adjacency holds -1"),
        ({"adjacency": CHAIN.astype(str)}, "adjacency is of <U"),
        ({"adjacency": CHAIN.astype(object)}, "holding pickles"),
        ({"adjacency": CHAIN + np.eye(3, dtype=int)}, "edge 0->0 leads from a node to itself"),
        ({"adjacency": CHAIN * 0}, "has no reaction"),
        ({"adjacency": np.pad(CHAIN, (0, 1))}, "node 3 has no edge"),
        ({"adjacency": CHAIN[:2, :2]}, "has 2 nodes"),
        ({"adjacency": CHAIN, "env": np.zeros(3)}, r"env is of float64 \(3,\); give 4 numbers"),
        ({"adjacency": CHAIN, "env": np.array(["7"] * 4)}, "env is of <U1"),
        ({"adjacency": CHAIN, "env": np.array([7.0, 0, 0, 0])}, "temperature is 0 K"),
        ({"adjacency": CHAIN, "meta": np.array("{")}, "meta is no JSON"),
        ({"adjacency": CHAIN, "meta": np.array("[" * 10**5)}, "meta is no JSON"),
        ({"adjacency": CHAIN, "meta": np.array("[1]")}, "meta must be an object"),
        ({"adjacency": CHAIN, "meta": np.array('{"names": [1, 2, 3]}')}, "meta must be an object"),
        ({"adjacency": CHAIN, "meta": np.array('{"names": ["A"]}')}, "meta names 1 nodes of 3"),
        ({"adjacency": CHAIN, "meta": np.array('{"names": ["A", "B", "A"]}')}, "A is a node twice"),
        ({"adjacency": CHAIN, "meta": np.zeros(3)}, "give one string of JSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(write, arrays, sentence):
    with pytest.raises(DataError, match=f"graph.npz: .*{sentence}") as raised:
        read_npz(write(**arrays))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_archive_or_is_not_there(tmp_path):
    path = tmp_path / "graph.npz"
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match="cannot be read as npz"):
        read_npz(path)


def test_what_is_no_array_under_its_name_is_not_read(tmp_path):
    path = tmp_path / "graph.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("adjacency", b"0" * 100)

    with pytest.raises(DataError, match=r"graph.npz: has no array 'adjacency'"):
        read_npz(path)


def test_too_many_edges_are_refused_before_they_are_listed(write):
    full = 1 - np.eye(1001, dtype=np.uint8)

    with pytest.raises(DataError, match=r"adjacency has 1,001,000 edges; give at most 1,000,000"):
        read_npz(write(adjacency=full), most_nodes=50)


def test_a_small_file_that_unpacks_to_much_is_refused_unread(tmp_path):
    path = tmp_path / "graph.npz"
    side = int(LARGEST**0.5) + 1
    np.savez_compressed(path, adjacency=np.zeros((side, side), np.uint8))
    assert path.stat().st_size < LARGEST / 100

    with pytest.raises(DataError, match="adjacency unpacks to more than 64 MiB"):
        read_npz(path)
