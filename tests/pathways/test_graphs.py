"""Graphs in packed arrays."""

import numpy as np
import pytest
from torch_geometric.data import Batch

from assay.pathways.graphs import UNKNOWN, Pathway, pack
from assay.store.texts import Texts

CHAIN = Pathway(
    "chain",
    ["glucose", "glucose 6-phosphate", "fructose 6-phosphate"],
    [(0, 1), (1, 2)],
    main=[True, False],
    reversible=[False, True],
    reactions=["HEX1", "PGI"],
    reaction_classes=[2, 5],
    environment=(7.0, None, 0.21, None),
    family="glycolysis",
    split="train",
    consumes_oxygen=False,
)
FORK = Pathway("Gabelung β", [None, None, None, None], [(0, 1), (0, 2), (2, 3)])


def test_a_graph_is_found_again():
    graphs = pack([CHAIN, FORK])

    assert graphs.names_of(0) == CHAIN.nodes
    assert graphs.adjacency(0).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert graphs.main.tolist()[:2] == CHAIN.main
    assert [graphs.reaction_names[k] for k in graphs.reactions[:2]] == ["HEX1", "PGI"]


def test_what_is_not_said_is_unknown_and_not_zero():
    graphs = pack([CHAIN, FORK])

    assert graphs.environment_known.tolist() == [[True, False, True, False], [False] * 4]
    assert graphs.nodes[3:].tolist() == [UNKNOWN] * 4
    assert graphs.reactions[2:].tolist() == [UNKNOWN] * 3
    assert graphs.consumes_oxygen.tolist() == [0, UNKNOWN]
    assert graphs.names_of(1) == [None] * 4


def test_selection_keeps_order_and_content():
    graphs = pack([CHAIN, FORK, CHAIN])
    chosen = graphs.select([1, 0])

    assert list(chosen.ids) == ["Gabelung β", "chain"]
    assert chosen.edges_of(0).T.tolist() == [[0, 1], [0, 2], [2, 3]]
    assert np.array_equal(chosen.adjacency(1), graphs.adjacency(0))
    assert len(graphs.select([])) == 0
    assert list(graphs.of_split("train").ids) == ["chain", "chain"]


def test_pyg_batches_shift_nothing_but_the_edges():
    graphs = pack([CHAIN, FORK])

    batch = Batch.from_data_list([graphs.to_pyg(0), graphs.to_pyg(1)])

    assert batch.edge_index.tolist() == [[0, 1, 3, 3, 5], [1, 2, 4, 5, 6]]
    assert batch.edge_reaction.tolist() == graphs.reactions.tolist()
    assert batch.compound.tolist() == graphs.nodes.tolist()
    assert batch.environment_known.shape == (2, 4)
    assert batch.pathway_id == ["chain", "Gabelung β"]
    assert batch.family == ["glycolysis", "Gabelung β"]


def test_texts_hold_any_string():
    strings = ["", "CO₂", "β-D-glucose", ""]
    texts = Texts.of(strings)

    assert list(texts) == strings
    assert texts[-2] == "β-D-glucose"
    assert list(texts.select(np.array([2, 0]))) == ["β-D-glucose", ""]
    assert list(Texts.of([])) == []
    with pytest.raises(IndexError):
        texts[4]
