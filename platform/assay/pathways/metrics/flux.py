"""Whether a living cell's metabolism could run a generated pathway: flux balance analysis.

The edges of a pathway are added to a genome-scale model as reactions s → t of one molecule each;
then linear programs ask which of them can carry a flux at steady state, and what they do to growth.
An edge says nothing of cofactors, so it need not balance: a pathway that raises growth makes
matter or energy from nothing, or a short cut that evolution did not take.

Compounds are tied to metabolites by a mapping that the caller declares. A compound outside it
becomes a metabolite of its own, which only the pathway makes and uses. Sources: Orth, Thiele,
Palsson, Nature Biotechnology 28 (2010) 245 (flux balance analysis); Burgard et al., Genome Research
14 (2004) 301 (blocked reactions). Linear programs: HiGHS, through scipy.

Shapes: M metabolites, R reactions, E edges of a graph.
"""

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
    network: Network, graphs: PathwayGraphs, k: int, mapping: Mapping[str, str]
) -> tuple[Network, int]:
    """Return a model with the edges of graph k as further reactions, at its end.

    A reversible edge runs both ways. An edge that is listed again is inserted once, one whose ends
    are the same metabolite not at all. Nodes that are not named are all different.

    Args:
        network: a model.
        graphs: holds the graph.
        k: which.
        mapping: compounds, as the graphs name them → ids of metabolites.

    Returns:
        The model, and how many of its new reactions have both ends in the old one.

    Raises:
        DataError: the mapping names a metabolite that the model has not.
    """
    M, R = network.S.shape
    place = {identity: m for m, identity in enumerate(network.metabolites)}
    names = [node if name is None else name for node, name in enumerate(graphs.names_of(k))]
    new: dict[str | int, int] = {}
    rows: list[int] = []
    for name in names:
        identity = mapping.get(name) if isinstance(name, str) else None
        if identity is None:
            rows.append(new.setdefault(name, M + len(new)))
        elif identity in place:
            rows.append(place[identity])
        else:
            raise DataError(f"mapping: {name!r} → {identity!r}: no metabolite of {network.name}")
    reversible: dict[tuple[int, int], bool] = {}
    begin, end = graphs.edge_offsets[k : k + 2]
    flags = graphs.reversible[begin:end].tolist()
    for (s, t), both in zip(graphs.edges_of(k).T.tolist(), flags, strict=True):
        if rows[s] != rows[t]:
            pair = rows[s], rows[t]
            reversible[pair] = reversible.get(pair, False) or both
    columns = _columns(list(reversible), M + len(new))
    empty = csr_array((len(new), R))
    lower = np.where(list(reversible.values()), -MOST, 0.0) if reversible else np.empty(0)
    larger = replace(
        network,
        metabolites=network.metabolites + tuple(f"new:{name}" for name in new),
        metabolite_names=network.metabolite_names + tuple(str(name) for name in new),
        reactions=network.reactions + tuple(f"edge:{s}>{t}" for s, t in reversible),
        S=csr_array(hstack([vstack([network.S, empty]), columns])),
        lower=np.concatenate([network.lower, lower]),
        upper=np.concatenate([network.upper, np.full(len(reversible), MOST)]),
    )
    return larger, sum(s < M and t < M for s, t in reversible)


def insertion(
    network: Network, graphs: PathwayGraphs, k: int, mapping: Mapping[str, str]
) -> Insertion:
    """Return what becomes of graph k in a model; arguments as of `insert`."""
    larger, mapped = insert(network, graphs, k, mapping)
    added = np.arange(len(network.reactions), len(larger.reactions))
    runs = can_carry(larger, added)
    return Insertion(int(runs.sum()), len(added), mapped, growth(larger))


def evaluate(
    network: Network, graphs: PathwayGraphs, mapping: Mapping[str, str], seed: int = 0
) -> dict[str, Estimate]:
    """Return `flux/carrying`, `flux/growth_effect` and `flux/coverage`.

    Args:
        network: a model that grows.
        graphs: are inserted one at a time.
        mapping: compounds, as the graphs name them → ids of metabolites.
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
    found = [insertion(network, graphs, k, mapping) for k in range(len(graphs))]
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


def _columns(pairs: list[tuple[int, int]], M: int) -> coo_array:
    """Return (M, E) stoichiometry of edges: one molecule of the first becomes one of the second."""
    E = len(pairs)
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    values = np.concatenate([np.full(E, -1.0), np.ones(E)])
    return coo_array((values, (ends.T.ravel(), np.tile(np.arange(E), 2))), shape=(M, E))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
