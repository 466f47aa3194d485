import numpy as np

from assay.pathways.classifier import OxygenClassifier, described, oxygen_classes
from assay.pathways.graphs import Pathway, pack
from tests.pathways import made


def breathing(count: int, seed: int):
    """Chains that gain a feature along their edges in air, and lose it without."""
    random = np.random.default_rng(seed)
    found = []
    for k in range(count):
        N, aerobic = int(random.integers(3, 7)), k % 2 == 0
        chain = [(n, n + 1) if aerobic else (n + 1, n) for n in range(N - 1)]
        air = 0.21 if aerobic else 0.0
        found.append(
            Pathway(
                id=f"p{k}",
                nodes=[f"c{n}" for n in range(N)],
                edges=chain,
                environment=(None, None, air if k % 3 else None, None),
            )
        )
    return pack(found)


FEATURES = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)


def test_classes_are_of_what_is_known():
    graphs = breathing(6, 0)

    assert oxygen_classes(graphs).tolist() == [-1, 0, 1, -1, 1, 0]


def test_it_learns_what_edges_turn_into_what():
    found = OxygenClassifier.learnt(breathing(60, 0), breathing(30, 1), FEATURES)

    assert found is not None
    test = breathing(40, 2)
    wanted = (np.arange(40) % 2 == 0).astype(int)
    assert (found(test) == wanted).mean() == 1


def test_there_is_none_where_a_class_is_missing():
    graphs = breathing(12, 0)
    air = graphs.select(np.flatnonzero(oxygen_classes(graphs) == 1))

    assert OxygenClassifier.learnt(air, graphs, FEATURES) is None
    assert OxygenClassifier.learnt(graphs, air, FEATURES) is None


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
    )
    codes = {name: k for k, name in enumerate(graphs.compounds)}
    other = pack([moved])
    its = np.array([codes[name] for name in other.compounds])

    np.testing.assert_allclose(described(other, features[its]), described(one, features), rtol=1e-6)
