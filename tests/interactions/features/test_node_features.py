import numpy as np
import pytest

from assay.errors import DataError
from assay.interactions.features.node_features import NodeFeatures, cached, concatenated

X = np.arange(6.0).reshape(3, 2)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path / "features"


def test_without_a_mask_all_nodes_are_known():
    assert NodeFeatures.of(X).mask_V.tolist() == [True] * 3


def test_what_is_not_known_is_zero_whatever_was_given():
    found = NodeFeatures.of(np.array([[1.0], [np.nan]]), np.array([True, False]))

    assert found.x_VF.tolist() == [[1.0], [0.0]]
    assert found.x_VF.dtype == np.float32


def test_side_by_side_a_node_is_known_where_any_part_knows_it():
    one = NodeFeatures.of(X, np.array([True, False, False]))
    other = NodeFeatures.of(X[:, :1], np.array([False, True, False]))

    joined = concatenated([one, other])

    assert joined.mask_V.tolist() == [True, True, False]
    assert joined.x_VF.tolist() == [[0, 1, 0], [0, 0, 2], [0, 0, 0]]


@pytest.mark.parametrize(
    ("x", "mask", "said"),
    [
        (X, np.ones(2, bool), "mask has 2 entries for 3 nodes; give one a node"),
        (np.array([[1.0], [np.inf]]), np.ones(2, bool), "node 1 has a feature that is not finite"),
    ],
)
def test_bad_features_are_one_sentence(x, mask, said):
    with pytest.raises(DataError, match=said):
        NodeFeatures.of(x, mask)


def test_parts_of_other_nodes_are_refused():
    with pytest.raises(DataError, match="features of 2 and 3 nodes"):
        concatenated([NodeFeatures.of(X), NodeFeatures.of(X[:2])])


def test_features_are_computed_once_for_what_they_depend_on():
    calls = []

    def compute():
        calls.append(1)
        return NodeFeatures.of(X, np.array([True, False, True]))

    first, again = (cached("morgan", {"bits": 8}, 3, compute) for _ in range(2))
    cached("morgan", {"bits": 9}, 3, compute)

    assert len(calls) == 2
    assert np.array_equal(first.x_VF, again.x_VF)
    assert np.array_equal(first.mask_V, again.mask_V)


def test_what_was_kept_of_other_nodes_is_refused(cache):
    cached("morgan", {"bits": 8}, 3, lambda: NodeFeatures.of(X))

    with pytest.raises(DataError, match="made by another model or for other nodes; delete it"):
        cached("morgan", {"bits": 8}, 4, lambda: NodeFeatures.of(X))


def test_a_file_put_in_anothers_place_is_refused(cache):
    cached("morgan", {"bits": 8}, 3, lambda: NodeFeatures.of(X))
    (path,) = cache.iterdir()
    cached("morgan", {"bits": 9}, 3, lambda: NodeFeatures.of(X))
    (other,) = set(cache.iterdir()) - {path}
    other.replace(path)

    with pytest.raises(DataError, match="made by another model or for other nodes"):
        cached("morgan", {"bits": 8}, 3, lambda: NodeFeatures.of(X))


def test_a_damaged_file_is_refused(cache):
    cached("morgan", {"bits": 8}, 3, lambda: NodeFeatures.of(X))
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(DataError, match=r"not readable .* delete it, and it is made anew"):
        cached("morgan", {"bits": 8}, 3, lambda: NodeFeatures.of(X))
