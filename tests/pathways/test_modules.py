import numpy as np

from assay.pathways.batches import PathwayRecords
from assay.pathways.graphs import REACTION_CLASSES, Pathway, pack
from assay.pathways.modules import MODULES, SHAPES, memberships
from tests.pathways import made


def members(nodes: int, edges, **more) -> dict[str, list[int]]:
    """Return the nodes of each module of one graph, beside a larger one."""
    one = Pathway(id="p", nodes=[f"c{k}" for k in range(nodes)], edges=edges, **more)
    other = Pathway(id="q", nodes=[f"c{k}" for k in range(9)], edges=[(0, 1)])
    graphs = pack([one, other])
    records = PathwayRecords(graphs, made.table(graphs), np.arange(2))
    found = memberships(records.batch(np.arange(2)))[0]
    return {name: found[:, k].nonzero()[:, 0].tolist() for k, name in enumerate(MODULES)}


def test_a_cycle_with_a_way_in_and_a_way_out():
    found = members(5, [(0, 1), (1, 2), (2, 3), (3, 1), (2, 4)])

    assert found["cycle"] == [1, 2, 3]
    assert found["branch"] == [2]
    assert found["merging"] == [1]
    assert found["chain"] == [0, 4]


def test_an_edge_and_its_reverse_are_no_cycle():
    found = members(3, [(0, 1), (1, 0), (1, 2)])

    assert found["cycle"] == []
    assert found["branch"] == [1]


def test_reactions_of_one_class_gather_the_nodes_that_they_join():
    kinds = [REACTION_CLASSES.index(name) for name in ("oxidoreductase", "ligase", "unknown")]
    found = members(4, [(0, 1), (1, 2), (2, 3)], reaction_classes=kinds)

    assert found["oxidoreductase"] == [0, 1]
    assert found["ligase"] == [1, 2]
    assert [
        found[name] for name in MODULES if name not in (*SHAPES, "oxidoreductase", "ligase")
    ] == [[]] * 5


def test_a_cycle_over_an_edge_whose_reverse_is_there_is_none():
    assert members(3, [(0, 1), (1, 2), (2, 0), (2, 1)])["cycle"] == []
