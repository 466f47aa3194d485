import numpy as np
import torch

from assay.pathways.baselines.ordering import breadth_first
from assay.pathways.batches import PathwayRecords
from tests.pathways import made
from tests.pathways.metrics import tiny


def order(nodes, edges) -> list[int]:
    some = tiny.packed((nodes, edges))
    table = made.table(some)
    return breadth_first(PathwayRecords(some, table, np.arange(1)).batch(np.arange(1)))[0].tolist()


def test_nodes_come_from_the_entry_on():
    chain = [(3, 2), (2, 1), (1, 0)]
    assert order(["c0", "c1", "c2", "c3"], chain) == [3, 2, 1, 0]


def test_of_nodes_as_far_from_the_entry_those_that_give_more_come_first():
    fork = [(0, 1), (0, 2), (2, 3)]  # 1 only takes; 2 gives as much as it takes
    assert order(["c0", "c1", "c2", "c3"], fork) == [0, 2, 1, 3]


def test_what_no_way_leads_to_comes_last():
    apart = [(1, 0), (1, 2), (3, 4)]
    assert order(["c0", "c1", "c2", "c3", "c4"], apart) == [1, 0, 2, 3, 4]


def test_every_node_of_a_connected_graph_but_the_first_has_a_neighbour_before_it():
    batch = made.batch(range(24))
    moved = batch.renumbered(breadth_first(batch))

    joined = (moved.adjacency_BNN | moved.adjacency_BNN.mT).tril(-1).any(-1)
    torch.testing.assert_close(joined[:, 1:], moved.mask_BN[:, 1:])
