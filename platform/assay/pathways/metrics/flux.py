"""Whether a living cell's metabolism could run a generated pathway: flux balance analysis.

The edges of a pathway are added to a genome-scale model as reactions s → y t; then linear programs
ask which of them can carry a flux at steady state, and what they do to growth. The yield y is 1, or
what the carbon of s allows: y = min(1, C(s) / C(t)), so that no edge makes carbon. An edge says
nothing of cofactors, so it may still make energy or other elements from nothing: growth above that
of the model alone is such a gift, or a short cut that evolution did not take.

Compounds are tied to metabolites by a mapping that the caller declares. A compound outside it
becomes a metabolite of its own, which only the pathway makes and uses. Sources: Orth, Thiele,
Palsson, Nature Biotechnology 28 (2010) 245 (flux balance analysis); Burgard et al., Genome Research
14 (2004) 301 (blocked reactions). Linear programs: HiGHS, through scipy.

Shapes: M metabolites, R reactions, E edges of a graph, A reactions that are added.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from assay.errors import DataError
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.estimates import mean_over_graphs, pooled_share
from assay.pathways.metrics.networks import Network
from assay.task import Estimate

VERSION = "1"

CARRIES = 1e-6
"""mmol per gram of dry weight and hour: a smaller flux is rounding."""
MOST = 1000.0
"""Bound of an inserted edge's flux, as that of unbounded reactions in the models."""


@dataclass(frozen=True)
class Insertion:
    """What became of one graph."""

    carrying: int
    """Edges that can carry a flux."""
    edges: int
    """Edges that were inserted: those that join two different metabolites."""
    mapped: int
    """Of these, those with both ends in the model."""
    growth: float
    """1/h with them."""


@dataclass(frozen=True)
class Inserted:
    """A model with the edges of a graph as its last reactions."""

    network: Network
    edge_A: NDArray[np.int64]
    """(A,) which edge each of these reactions is of."""
    edges: int
    """Edges that join two different metabolites."""
    mapped: int
    """Of these, those with both ends in the model before."""


def maximum(network: Network, reaction: int, sign: float = 1.0) -> NDArray[np.float64]:
    """Return (R,) a steady state in which a reaction's flux times `sign` is largest.

    Raises:
        DataError: the model has no steady state within its bounds.
    """
    weights_R = np.zeros(len(network.reactions))
    weights_R[reaction] = -sign
    found = linprog(
        weights_R,
        A_eq=network.S,
        b_eq=np.zeros(len(network.metabolites)),
        bounds=np.stack([network.lower, network.upper], axis=1),
        method="highs",
    )
    if found.x is None:
        raise DataError(f"{network.name}: has no steady state: {found.message}")
    return found.x


def growth(network: Network) -> float:
    """Return the largest growth rate, 1/h."""
    return float(maximum(network, network.objective)[network.objective])


def can_carry(network: Network, asked: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each of the reactions `asked` has a flux in some steady state.

    Any steady state in which a reaction runs is proof: one program often answers for many.
    """
    runs_R = np.zeros(len(network.reactions), np.bool_)
    for reaction in asked.tolist():
        for sign, bound in ((1.0, network.upper), (-1.0, -network.lower)):
            if not runs_R[reaction] and bound[reaction] > CARRIES:
                runs_R |= np.abs(maximum(network, reaction, sign)) > CARRIES
    return runs_R[asked]


def blocked(network: Network) -> list[str]:
    """Return the reactions that carry no flux in any steady state."""
    runs_R = can_carry(network, np.arange(len(network.reactions)))
    return [reaction for reaction, runs in zip(network.reactions, runs_R, strict=True) if not runs]


def insert(
    network: Network,
    graphs: PathwayGraphs,
    k: int,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
) -> Inserted:
    """Return a model with the edges of graph k as further reactions, at its end.

    A reversible edge is one reaction that runs both ways where both ends have equal carbon, else
    one reaction for each way. An edge from a compound without carbon to one with carbon is counted
    but cannot run. An edge that is listed again is inserted once, one whose ends are the same
    metabolite not at all. Nodes that are not named are all different.

    Args:
        network: a model.
        graphs: holds the graph.
        k: which.
        mapping: compounds, as the graphs name them → ids of metabolites.
        carbons: atoms of compounds outside the mapping; one that is not known has yields of 1.

    Raises:
        DataError: the mapping names a metabolite that the model has not.
    """
    M, R = len(network.metabolites), len(network.reactions)
    names = [node if name is None else name for node, name in enumerate(graphs.names_of(k))]
    rows, new = _rows(network, names, mapping)
    known = carbons or {}
    outside = [known.get(name, math.nan) if isinstance(name, str) else math.nan for name in new]
    C_M = np.concatenate([network.carbons, outside])
    pairs = _pairs(graphs, k, rows)
    arcs = [
        arc
        for edge, (pair, both) in enumerate(pairs.items())
        for arc in _arcs(edge, pair, both, C_M)
    ]
    larger = replace(
        network,
        metabolites=network.metabolites + tuple(f"new:{name}" for name in new),
        metabolite_names=network.metabolite_names + tuple(map(str, new)),
        carbons=C_M,
        reactions=network.reactions + tuple(f"edge:{s}>{t}" for _, s, t, _, _ in arcs),
        S=csr_array(
            hstack([vstack([network.S, csr_array((len(new), R))]), _columns(arcs, len(C_M))])
        ),
        lower=np.concatenate([network.lower, [low for *_, low in arcs]]),
        upper=np.concatenate([network.upper, np.full(len(arcs), MOST)]),
    )
    mapped = sum(s < M and t < M for s, t in pairs)
    return Inserted(larger, np.array([arc[0] for arc in arcs], np.int64), len(pairs), mapped)


def insertion(
    network: Network,
    graphs: PathwayGraphs,
    k: int,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
) -> Insertion:
    """Return what becomes of graph k in a model; arguments as of `insert`."""
    found = insert(network, graphs, k, mapping, carbons)
    larger = found.network
    runs_A = can_carry(larger, np.arange(len(network.reactions), len(larger.reactions)))
    carrying = len(np.unique(found.edge_A[runs_A]))
    return Insertion(carrying, found.edges, found.mapped, growth(larger))


def evaluate(
    network: Network,
    graphs: PathwayGraphs,
    mapping: Mapping[str, str],
    carbons: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return `flux/carrying`, `flux/growth_effect` and `flux/coverage`.

    Args:
        network: a model that grows.
        graphs: are inserted one at a time.
        mapping: compounds, as the graphs name them → ids of metabolites.
        carbons: as of `insert`.
        seed: of resampling, of whole graphs.

    Returns:
        The share of inserted edges that can carry a flux; the mean of growth with / growth
        without − 1, over graphs; and the share of inserted edges with both ends in the model.
        Nothing of shares where no edge was inserted.

    Raises:
        DataError: the model does not grow by itself, or the mapping does not fit it.
    """
    alone = growth(network)
    if alone <= CARRIES:
        raise DataError(f"{network.name}: does not grow within its bounds")
    found = [insertion(network, graphs, k, mapping, carbons) for k in range(len(graphs))]
    edges_G = np.array([one.edges for one in found])
    effects_G = np.array([one.growth / alone - 1 for one in found])
    version = f"{VERSION}: {network.name}, {len(mapping)} compounds mapped"
    estimates = {
        "flux/carrying": pooled_share(
            np.array([one.carrying for one in found]), edges_G, version, seed=seed
        ),
        "flux/growth_effect": mean_over_graphs(effects_G, version, "lower", seed),
        "flux/coverage": pooled_share(
            np.array([one.mapped for one in found]), edges_G, version, seed=seed
        ),
    }
    return {name: estimate for name, estimate in estimates.items() if estimate is not None}


def by_name(names: Mapping[str, str], network: Network, compartment: str = "c") -> dict[str, str]:
    """Return a mapping by equal names, of letters and digits alone, in one compartment.

    A proposal to be read and declared, not a truth: names leave stereochemistry and charge out as
    often as not. What is not found is not mapped; `flux/coverage` says how much that leaves.

    Args:
        names: compounds, as the graphs name them → names of chemistry.
        network: a model.
        compartment: the letter that its metabolites' ids end with.
    """
    metabolites = zip(network.metabolites, network.metabolite_names, strict=True)
    known = {_plain(name): i for i, name in metabolites if i.endswith(f"_{compartment}")}
    found = {compound: known.get(_plain(name)) for compound, name in names.items()}
    return {compound: identity for compound, identity in found.items() if identity is not None}


def _rows(
    network: Network, names: list[str | int], mapping: Mapping[str, str]
) -> tuple[list[int], list[str | int]]:
    """Return the metabolite of each node, and the compounds that the model gains, in order."""
    place = {identity: m for m, identity in enumerate(network.metabolites)}
    new: dict[str | int, int] = {}
    rows: list[int] = []
    for name in names:
        identity = mapping.get(name) if isinstance(name, str) else None
        if identity is None:
            rows.append(new.setdefault(name, len(place) + len(new)))
        elif identity in place:
            rows.append(place[identity])
        else:
            raise DataError(f"mapping: {name!r} → {identity!r}: no metabolite of {network.name}")
    return rows, list(new)


def _pairs(graphs: PathwayGraphs, k: int, rows: list[int]) -> dict[tuple[int, int], bool]:
    """Return the distinct pairs of metabolites that edges join, and whether one is reversible."""
    begin, end = graphs.edge_offsets[k : k + 2]
    found: dict[tuple[int, int], bool] = {}
    for (s, t), both in zip(
        graphs.edges_of(k).T.tolist(), graphs.reversible[begin:end].tolist(), strict=True
    ):
        if rows[s] != rows[t]:
            pair = rows[s], rows[t]
            found[pair] = found.get(pair, False) or both
    return found


_Arc = tuple[int, int, int, float, float]
"""An edge's number, from which metabolite to which, the yield, and the lower bound of the flux."""


def _arcs(edge: int, pair: tuple[int, int], both: bool, C_M: NDArray[np.float64]) -> list[_Arc]:
    s, t = pair
    there, back = (_yield(C_M[one], C_M[other]) for one, other in ((s, t), (t, s)))
    if both and there == back == 1:
        return [(edge, s, t, 1.0, -MOST)]
    ways = [(edge, s, t, there, 0.0), *([(edge, t, s, back, 0.0)] if both else [])]
    return [arc for arc in ways if arc[3] > 0]


def _yield(source: float, target: float) -> float:
    """Return molecules of the target that the carbon of one of the source makes, at most 1."""
    if math.isnan(source) or math.isnan(target) or target == 0:
        return 1.0
    return min(1.0, source / target)


def _columns(arcs: list[_Arc], M: int) -> coo_array:
    """Return (M, A) the stoichiometry of the reactions that are added."""
    rows = [end for _, s, t, _, _ in arcs for end in (s, t)]
    values = [amount for *_, made, _ in arcs for amount in (-1.0, made)]
    return coo_array((values, (rows, np.repeat(np.arange(len(arcs)), 2))), shape=(M, len(arcs)))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
