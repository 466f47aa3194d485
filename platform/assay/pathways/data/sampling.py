"""A connected part of a graph that is too large, for whoever asks for one."""

import hashlib
from dataclasses import replace

import torch

from assay.errors import ConfigError
from assay.pathways.data.checks import FEWEST_NODES
from assay.pathways.graphs import Pathway
from assay.training.draws import Draws


def part_of(pathway: Pathway, most_nodes: int, seed: int) -> Pathway:
    """Return at most `most_nodes` nodes that hang together, and the edges between them.

    From a drawn node on, a drawn neighbour of what is there is added, whichever way the edge goes.
    The draws depend on the seed and the graph's id alone. A graph that is small enough stays whole;
    of one that falls apart, what the drawn node hangs together with is the most that is returned.

    Raises:
        ConfigError: `most_nodes` is less than a graph must have.
    """
    if most_nodes < FEWEST_NODES:
        raise ConfigError(f"most_nodes is {most_nodes}; give {FEWEST_NODES} or more")
    N = len(pathway.nodes)
    if most_nodes >= N:
        return pathway
    digest = hashlib.sha256(pathway.id.encode()).digest()[:7]
    record = torch.tensor([int.from_bytes(digest, "big")])
    order = Draws(seed, 0, record).uniform("part of a pathway", N)[0].argsort().tolist()
    neighbours: dict[int, set[int]] = {node: set() for node in range(N)}
    for source, target in pathway.edges:
        neighbours[source].add(target)
        neighbours[target].add(source)
    chosen = {next(node for node in order if neighbours[node])}
    while len(chosen) < most_nodes:
        rim = {other for node in chosen for other in neighbours[node]} - chosen
        if not rim:
            break
        chosen.add(next(node for node in order if node in rim))
    return _induced(pathway, sorted(chosen))


def _induced(pathway: Pathway, nodes: list[int]) -> Pathway:
    place = {node: k for k, node in enumerate(nodes)}
    kept = [k for k, (a, b) in enumerate(pathway.edges) if a in place and b in place]

    def of_edges(name: str) -> list | None:
        values = getattr(pathway, name)
        return None if values is None else [values[k] for k in kept]

    return replace(
        pathway,
        nodes=[pathway.nodes[node] for node in nodes],
        edges=[(place[pathway.edges[k][0]], place[pathway.edges[k][1]]) for k in kept],
        main=of_edges("main"),
        reversible=of_edges("reversible"),
        reactions=of_edges("reactions"),
        reaction_classes=of_edges("reaction_classes"),
    )
