"""Which graphs could be a metabolic pathway: connected, an entry and an exit, usual degrees.

"Valence" means nothing for a metabolite: limits are learnt from real pathways instead, and real
pathways of another split are the row to read every share against.

Shapes: G graphs, N nodes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.atoms import Formulas, conserved
from assay.pathways.metrics.descriptors import degrees, distinct_edges
from assay.pathways.metrics.estimates import pooled_share, share
from assay.task import Estimate

VERSION = "1"

QUANTILE = 0.999
"""Of the training nodes, and graphs, that keep to a limit."""


@dataclass(frozen=True)
class Limits:
    """What nearly all training graphs keep to."""

    in_degree: int
    """Most incoming edges of a node."""
    out_degree: int
    """Most outgoing edges of a node."""
    conserved: float | None
    """Least mean share of heavy atoms along a graph's edges; None where no formula is known."""

    @classmethod
    def learnt(cls, train: PathwayGraphs, formulas: Formulas) -> "Limits":
        """Return the 99.9 % quantiles of the training nodes' degrees, and 0.1 % of the shares."""
        incoming, outgoing = degrees(train)
        sums_G, known_G = conserved(train, formulas)
        there = known_G > 0
        means = sums_G[there] / known_G[there]
        return cls(
            in_degree=int(np.quantile(incoming, QUANTILE, method="inverted_cdf")),
            out_degree=int(np.quantile(outgoing, QUANTILE, method="inverted_cdf")),
            conserved=float(np.quantile(means, 1 - QUANTILE)) if len(means) else None,
        )


@dataclass(frozen=True)
class Validity:
    """Which graphs pass each check."""

    connected: NDArray[np.bool_]
    """(G,) weakly: there is a way between any two nodes if directions are ignored."""
    sources_sinks: NDArray[np.bool_]
    """(G,) a node that only gives and one that only receives edges; or the graph is one cycle."""
    degree: NDArray[np.bool_] | None = None
    """(G,) no node beyond the limits; None where there are none."""
    atoms: NDArray[np.bool_] | None = None
    """(G,) edges conserve as much as the limit, on average; so does a graph nothing is known of."""

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """(G,) all of them; None where no limits are known."""
        if self.degree is None:
            return None
        atoms = True if self.atoms is None else self.atoms
        return self.connected & self.sources_sinks & self.degree & atoms


def judge(
    graphs: PathwayGraphs, limits: Limits | None, formulas: Formulas | None = None
) -> Validity:
    """Check every graph.

    Args:
        graphs: G graphs.
        limits: of a training split; without them only the shape of each graph is judged.
        formulas: of compounds, by the names that the graphs use.
    """
    incoming, outgoing = degrees(graphs)
    whole = connected(graphs)
    given = _any(graphs, (incoming == 0) & (outgoing > 0))
    taken = _any(graphs, (outgoing == 0) & (incoming > 0))
    cycle = whole & ~_any(graphs, (incoming != 1) | (outgoing != 1))
    ends = (given & taken) | cycle
    if limits is None:
        return Validity(whole, ends)
    degree = ~_any(graphs, (incoming > limits.in_degree) | (outgoing > limits.out_degree))
    if limits.conserved is None:
        return Validity(whole, ends, degree)
    sums_G, known_G = conserved(graphs, formulas or {})
    return Validity(whole, ends, degree, sums_G >= limits.conserved * known_G - 1e-12)


def connected(graphs: PathwayGraphs) -> NDArray[np.bool_]:
    """Return (G,) whether each graph is weakly connected."""
    total = int(graphs.node_counts.sum())
    source, target = distinct_edges(graphs)
    together = coo_array((np.ones(len(source)), (source, target)), shape=(total, total))
    pieces = connected_components(together, directed=True, connection="weak")[1]
    owner = np.repeat(np.arange(len(graphs)), graphs.node_counts)
    # A piece lies within one graph: each distinct (graph, piece) is one piece of that graph.
    first = np.unique(pieces, return_index=True)[1]
    return np.bincount(owner[first], minlength=len(graphs)) == 1


def evaluate(
    graphs: PathwayGraphs,
    limits: Limits | None,
    formulas: Formulas | None = None,
    rejected: int = 0,
) -> dict[str, Estimate]:
    """Return `validity/…`: shares of graphs, and of atoms along edges.

    Args:
        graphs: G graphs.
        limits: of a training split; without them there is neither `degree` nor `valid`.
        formulas: of compounds; without them, neither `atoms` nor `atoms_coverage`.
        rejected: further records, which fail every check.
    """
    found = judge(graphs, limits, formulas)
    checks = {
        "connected": found.connected,
        "sources_sinks": found.sources_sinks,
        "degree": found.degree,
        "valid": found.valid,
    }
    n = len(graphs) + rejected
    shares = {
        f"validity/{name}": share(int(passed.sum()), n, _version(name, limits))
        for name, passed in checks.items()
        if passed is not None
    }
    return shares | (_atoms(graphs, formulas) if formulas else {})


def reciprocity(graphs: PathwayGraphs, reference: PathwayGraphs) -> dict[str, Estimate]:
    """Return `structure/reciprocity_error`: |share of edges whose reverse is listed − the same|.

    The interval is that of the share over generated graphs, shifted; the reference is as given.
    """
    ours = reciprocal_share(graphs)
    theirs = reciprocal_share(reference)
    if ours is None or theirs is None:
        return {}
    gap = ours.value - theirs.value
    low, high = ours.low - theirs.value, ours.high - theirs.value
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    error = Estimate(
        value=abs(gap),
        low=nearest,
        high=max(abs(low), abs(high)),
        n=ours.n,
        version=f"{VERSION}: reference {theirs.value:.4f} of {theirs.n} edges",
        better="lower",
    )
    return {"structure/reciprocity_error": error}


def reciprocal_share(graphs: PathwayGraphs) -> Estimate | None:
    """Return the share of distinct edges whose reverse is an edge; None where there is no edge."""
    source, target = distinct_edges(graphs)
    total = np.int64(max(int(graphs.node_counts.sum()), 1))
    both = np.isin(source * total + target, target * total + source)
    owner = np.searchsorted(graphs.node_offsets, source, side="right") - 1
    counts_G = np.bincount(owner, minlength=len(graphs))
    reciprocal_G = np.bincount(owner, both, minlength=len(graphs))
    return pooled_share(reciprocal_G, counts_G, VERSION)


def _atoms(graphs: PathwayGraphs, formulas: Formulas) -> dict[str, Estimate]:
    sums_G, known_G = conserved(graphs, formulas)
    found = {
        "validity/atoms": pooled_share(sums_G, known_G, VERSION),
        "validity/atoms_coverage": pooled_share(known_G, graphs.edge_counts, VERSION),
    }
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def _any(graphs: PathwayGraphs, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (G,) whether something holds of any node, from (ΣN,)."""
    owner = np.repeat(np.arange(len(graphs)), graphs.node_counts)
    return np.bincount(owner, holds, minlength=len(graphs)) > 0


def _version(name: str, limits: Limits | None) -> str:
    if limits is None or name not in {"degree", "valid"}:
        return VERSION
    text = f"{VERSION}: in-degree <= {limits.in_degree}, out-degree <= {limits.out_degree}"
    if name == "valid" and limits.conserved is not None:
        text += f", atoms >= {limits.conserved:.3f}"
    return text
