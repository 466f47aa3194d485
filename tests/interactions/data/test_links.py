import numpy as np
import pytest
import torch

from assay.errors import ConfigError, DataError
from assay.interactions.data.links import (
    check_links,
    fixed_negatives,
    links_of,
    splits,
    training_graph,
)
from assay.store.packed import PackedSet
from tests.store.sets_for_tests import small_arrays


def arrays(**changed) -> dict[str, np.ndarray]:
    """Five nodes, four edges of which the last two are held out, and two pairs that are none."""
    sound = {
        "smiles": np.array([b"C", b"CC", b"CCC", b"", b"CO"]),
        "edges": np.array([[0, 1], [1, 4], [2, 3], [0, 4]], np.int32),
        "ids": np.arange(1, 5),
        "split": np.array([0, 0, 1, 2], np.uint8),
        "negatives_validation": np.array([[0, 2]], np.int32),
        "negatives_test": np.array([[0, 3], [1, 3]], np.int32),
    }
    return sound | changed


@pytest.fixture
def packed(tmp_path) -> PackedSet:
    return PackedSet.write(tmp_path, arrays(), name="five", description="five nodes", source="here")


def test_messages_pass_along_training_edges_alone(packed):
    graph = training_graph(packed)

    assert graph.n_nodes == 5
    assert graph.edges_E2.tolist() == [[0, 1], [1, 4]]


def test_every_split_holds_its_own_edges_under_their_place_in_the_set(packed):
    data = splits(packed)
    train = data.train.batch(np.array([1, 0]))

    assert [len(part) for part in (data.train, data.validation, data.test)] == [2, 1, 1]
    assert train.pairs_B2.tolist() == [[1, 4], [0, 1]]
    assert train.record_ids.tolist() == [1, 0]
    assert data.test.batch(np.array([0])).record_ids.tolist() == [3]
    assert len(train) == 2
    assert train.pairs_B2.dtype == torch.int64


def test_held_out_edges_are_ranked_against_their_own_pairs(packed):
    assert fixed_negatives(packed, "validation").tolist() == [[0, 2]]
    assert fixed_negatives(packed, "test").tolist() == [[0, 3], [1, 3]]


def test_sound_arrays_pass():
    check_links(arrays(), "five")


@pytest.mark.parametrize(
    ("name", "pairs", "said"),
    [
        ("edges", [[0, 1], [1, 5]], r"five: edges: row 1: 1-5 names a node that is not in 0 … 4"),
        ("edges", [[-1, 1]], r"five: edges: row 0: -1-1 names a node that is not in 0 … 4"),
        ("edges", [[2, 2]], r"five: edges: row 0: 2-2 joins a node with itself"),
        ("edges", [[1, 0]], r"five: edges: row 0: 1-0 is in the wrong order"),
        ("edges", [[0, 1], [1, 2], [0, 1]], r"five: edges: row 2: 0-1 is given twice"),
        ("negatives_test", [[0, 2], [1, 4]], r"five: negatives_test: row 1: 1-4 is an edge"),
        ("negatives_test", [[0, 2], [0, 2]], r"five: negatives_test: row 1: 0-2 is given twice"),
        ("negatives_validation", [], r"five: negatives_validation: holds no pair"),
    ],
)
def test_what_is_no_graph_of_links_is_refused(name, pairs, said):
    wrong = np.array(pairs, np.int32).reshape(-1, 2)

    with pytest.raises(DataError, match=said):
        check_links(arrays(**{name: wrong}), "five")


def test_a_set_of_molecules_is_no_set_of_links(tmp_path):
    molecules = PackedSet.write(
        tmp_path, small_arrays(), name="three", description="", source="here"
    )

    with pytest.raises(ConfigError, match="three: holds no links"):
        links_of(molecules)
