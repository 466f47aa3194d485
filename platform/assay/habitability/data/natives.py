"""Guests who live where they are: half of a planet's are natives, the others strangers.

Where guests are drawn whatever the planet, as in `planets`, a climate tells nothing of the
environment of a network, nor of an organism. A native is an organism whose growth window holds the
planet's mean temperature and whose need for oxygen its air meets; a stranger is drawn as ever, and
may happen to live there. Who is which is in no record. The target is the same rule of both: of a
native it is how much of area and year suits it, of which a mean says little on a planet of many
climates.

What a climate then tells of a network's environment is as much as the network's label has of its
organisms. Of MetaCyc's, which are means over broad taxa, it is nothing that could be measured.

Shapes: A pairs of a network and one who may run it.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from assay.habitability.data.compose import Guest, Host, Invite
from assay.habitability.data.organisms import Organism, choose
from assay.habitability.data.target import NEEDS, meets, need_of
from assay.pathways.graphs import PathwayGraphs

NATIVES = 0.5
"""The chance of a guest to be a native, where anybody can live."""


def half_natives(
    graphs: PathwayGraphs, guests: Mapping[int, Sequence[Organism]], stranger: Invite
) -> Invite:
    """Return what draws a native of a planet half of the time, and a stranger otherwise.

    Of natives, as of strangers, half run networks that take up O2, if both kinds can live there; a
    network is drawn evenly among those that somebody can run there, then one who can. Where nobody
    lives, such as on a frozen planet, all guests are strangers.

    Args:
        graphs: The networks of all splits.
        guests: Who may run each network, by its position.
        stranger: Draws a guest whatever the planet.
    """
    organisms = list(chain.from_iterable(guests.values()))
    graph_A = np.repeat(np.array([*guests], int), [len(each) for each in guests.values()])
    low_A = np.array([one.lowest_K for one in organisms])
    high_A = np.array([one.highest_K for one in organisms])
    breathes_A = np.asarray(graphs.consumes_oxygen)[graph_A] == 1
    need_A = np.array([
        NEEDS.index(need_of(bool(breathes), one.anaerobe))
        for breathes, one in zip(breathes_A, organisms, strict=True)
    ])  # fmt: skip
    split_A = np.asarray(graphs.split)[graph_A]

    def guest(draw: np.random.Generator, host: Host) -> Guest:
        if draw.random() >= NATIVES:
            return stranger(draw, host)
        at_home_A = (split_A == host.split) & (low_A <= host.mean_K) & (host.mean_K <= high_A)
        at_home = np.flatnonzero(at_home_A & meets(need_A, np.array(host.oxygen_bar)))
        if not len(at_home):
            return stranger(draw, host)
        kinds = np.unique(breathes_A[at_home])
        at_home = at_home[breathes_A[at_home] == draw.choice(kinds)]
        graph = int(draw.choice(np.unique(graph_A[at_home])))
        own = [organisms[k] for k in at_home[graph_A[at_home] == graph]]
        return Guest(graph, choose(draw, own))

    return guest
