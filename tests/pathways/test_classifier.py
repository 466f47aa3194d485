from dataclasses import replace

import numpy as np

from assay.pathways.classifier import UptakeClassifier, described, oxygen_classes, seen
from assay.pathways.graphs import UNKNOWN, Pathway, pack
from tests.pathways import made


def breathing(count: int, seed: int, kinds: bool = False):
    """Chains that take up O2 gain a feature along their edges, or are of one class of reactions."""
    random = np.random.default_rng(seed)
    found = []
    for k in range(count):
        N, breathes = int(random.integers(3, 7)), k % 2 == 0
        chain = [(n, n + 1) if breathes or kinds else (n + 1, n) for n in range(N - 1)]
        air = 0.21 if breathes else 0.0
        found.append(
            Pathway(
                id=f"p{k}",
                nodes=[f"c{n}" for n in range(N)],
                edges=chain,
                reaction_classes=[1 if breathes and kinds else 2] * len(chain),
                environment=(None, None, air if k % 3 else None, None),
                consumes_oxygen=breathes,
            )
        )
    return pack(found)


FEATURES = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
BREATHES = (np.arange(40) % 2 == 0).astype(int)


def test_classes_are_of_what_is_known():
    graphs = breathing(6, 0)

    assert oxygen_classes(graphs).tolist() == [-1, 0, 1, -1, 1, 0]


def test_it_learns_what_edges_turn_into_what():
    found = UptakeClassifier.learnt(breathing(60, 0), FEATURES)

    assert found is not None
    assert found(breathing(40, 2)).tolist() == BREATHES.tolist()


def test_it_learns_of_which_classes_reactions_are():
    found = UptakeClassifier.learnt(breathing(60, 0, kinds=True), FEATURES)

    assert found is not None
    assert found(breathing(40, 2, kinds=True)).tolist() == BREATHES.tolist()


def test_what_is_not_recorded_teaches_nothing():
    graphs = breathing(60, 0)
    half = np.where(np.arange(60) < 30, graphs.consumes_oxygen, UNKNOWN).astype(np.int8)
    other = 1 - graphs.consumes_oxygen
    wrong = replace(graphs, consumes_oxygen=np.where(np.arange(60) < 30, half, other))

    without = UptakeClassifier.learnt(replace(graphs, consumes_oxygen=half), FEATURES)
    misled = UptakeClassifier.learnt(wrong, FEATURES)

    first = UptakeClassifier.learnt(graphs.select(range(30)), FEATURES)
    assert without is not None
    assert first is not None
    assert misled is not None
    np.testing.assert_array_equal(without.weights_D, first.weights_D)
    assert not np.allclose(misled.weights_D, first.weights_D)


def test_there_is_none_where_a_class_is_missing_or_of_one_family():
    graphs = breathing(12, 0)
    every = np.arange(12)

    assert UptakeClassifier.learnt(graphs.select(every[::2]), FEATURES) is None
    assert UptakeClassifier.learnt(graphs, FEATURES) is not None
    one = replace(graphs, families=np.where(every % 2 == 0, 0, every).astype(np.int32))
    assert UptakeClassifier.learnt(one, FEATURES) is None


def test_it_sees_no_sizes():
    """A chain of equal steps is what it is, however often it is there."""
    chain = [(n, n + 1) for n in range(3)]
    twice = [*chain, *((s + 4, t + 4) for s, t in chain)]
    names = [f"c{n}" for n in range(4)]
    one, two = (
        pack([Pathway(id="p", nodes=nodes, edges=edges)])
        for nodes, edges in ((names, chain), (names * 2, twice))
    )

    np.testing.assert_array_equal(seen(one, FEATURES), seen(two, FEATURES))
    assert not np.array_equal(described(one, FEATURES), described(two, FEATURES))


def test_a_graph_is_described_however_it_is_numbered():
    graphs = made.graphs()
    features = made.table(graphs).features()
    one = graphs.select([4])
    N = int(one.node_counts[0])
    order = np.random.default_rng(0).permutation(N)
    names = one.names_of(0)
    moved = Pathway(
        id="p",
        nodes=[names[k] for k in order],
        edges=[(int(order.argsort()[s]), int(order.argsort()[t])) for s, t in one.edges_of(0).T],
        reaction_classes=one.reaction_classes.tolist(),
    )
    codes = {name: k for k, name in enumerate(graphs.compounds)}
    other = pack([moved])
    its = np.array([codes[name] for name in other.compounds])

    for of in (described, seen):
        np.testing.assert_allclose(of(other, features[its]), of(one, features), rtol=1e-6)
