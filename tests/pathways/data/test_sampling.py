"""A connected part of a graph that is too large."""

import networkx as nx
import pytest

from assay.errors import ConfigError
from assay.pathways.data.checks import check_pathway
from assay.pathways.data.sampling import part_of
from assay.pathways.graphs import Pathway

RING = Pathway(
    "ring",
    [f"c{k}" for k in range(60)],
    [(k, (k + 1) % 60) for k in range(60)],
    main=[k % 2 == 0 for k in range(60)],
    reactions=[f"r{k}" for k in range(60)],
)


def test_a_part_hangs_together_and_keeps_what_belongs_to_its_edges():
    part = part_of(RING, 20, seed=1)

    check_pathway(part, "here")
    assert len(part.nodes) == 20
    assert nx.is_weakly_connected(nx.DiGraph(part.edges))
    for (a, b), reaction, main in zip(part.edges, part.reactions, part.main, strict=True):
        k = int(reaction[1:])
        assert (part.nodes[a], part.nodes[b]) == (f"c{k}", f"c{(k + 1) % 60}")
        assert main == (k % 2 == 0)


def test_a_part_depends_on_the_seed_and_the_name_alone():
    assert part_of(RING, 20, seed=1) == part_of(RING, 20, seed=1)
    assert part_of(RING, 20, seed=1).nodes != part_of(RING, 20, seed=2).nodes


def test_what_is_small_enough_stays_whole():
    assert part_of(RING, 60, seed=1) is RING


def test_a_part_of_two_nodes_is_none():
    with pytest.raises(ConfigError, match="most_nodes is 2; give 3 or more"):
        part_of(RING, 2, seed=1)
