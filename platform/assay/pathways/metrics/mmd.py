"""Maximum mean discrepancy between two sets of graphs, with intervals, by the field's definition.

A graph is a row of numbers (`assay.pathways.metrics.descriptors`); rows are compared by a Gaussian
kernel of their total variation, k(x, y) = exp(−TV² / 2σ²), TV = ½ Σ|x − y|; and sets by the biased
V-statistic MMD² = mean k(x, x') − 2 mean k(x, y) + mean k(y, y'), pairs of a graph with itself
included. Histograms are divided by their sum + 1e-6 first; orbit counts are not. The kernel is not
positive definite (that of TV, unsquared, would be), so that MMD² of sets that are alike can be a
little below 0; nothing is cut off. Sources: Gretton et al., JMLR 13 (2012) 723, equation 5; You et
al., "GraphRNN", ICML 2018, section 4.3; kernel, σ and bins: Vignac et al., "DiGress", ICLR 2023 and
its public code (`spectre_utils`, `dist_helper`).

Equal rows are kept once, with their weight: the kernel is computed between distinct rows only.

Shapes: G, F graphs of two sets; K, L their distinct rows; B columns; R resamples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics import descriptors
from assay.pathways.metrics.estimates import estimated
from assay.statistics.intervals import CONFIDENCE, RESAMPLES, Interval
from assay.task import Estimate

VERSION = "1"
"""Changes whenever a number could: results of another version are evaluated again."""

RATIO_VERSION = "2"
"""2: over what as many training graphs have as were generated; 1 was over that of all of them,
which is smaller (of more graphs the V-statistic is less biased)."""

LEAST_OWN = 1e-9
"""A smaller MMD² of the training graphs is rounding: nothing is divided by it."""

_EPSILON = 1e-6
_DRAWS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Descriptor:
    """What graphs are compared by, and how."""

    of: Callable[[PathwayGraphs], NDArray[np.float64]]
    sigma: float
    bins: str
    """As the version says it."""
    histogram: bool = True
    """Divided by its sum."""


DESCRIPTORS: Mapping[str, Descriptor] = {
    "in_degree": Descriptor(descriptors.in_degrees, 1.0, "a bin a degree"),
    "out_degree": Descriptor(descriptors.out_degrees, 1.0, "a bin a degree"),
    "clustering": Descriptor(descriptors.clustering, 0.1, f"{descriptors.CLUSTERING_BINS} bins"),
    "orbit": Descriptor(descriptors.orbits, 30.0, "no bins", histogram=False),
    "spectrum": Descriptor(descriptors.spectrum, 1.0, f"{descriptors.SPECTRUM_BINS} bins"),
}


@dataclass(frozen=True)
class Rows:
    """A set of graphs as its distinct rows, in an order that does not depend on the graphs'."""

    values_KB: NDArray[np.float64]
    counts_K: NDArray[np.int64]

    @classmethod
    def of(cls, rows_GB: NDArray[np.float64], histogram: bool) -> "Rows":
        """Gather the rows of G graphs, normalised if they are histograms."""
        values_KB, counts_K = np.unique(rows_GB, axis=0, return_counts=True)
        if histogram:
            values_KB = values_KB / (values_KB.sum(axis=1, keepdims=True) + _EPSILON)
        return cls(values_KB, counts_K)

    @property
    def weights_K(self) -> NDArray[np.float64]:
        """(K,) share of the graphs that have each row."""
        return self.counts_K / self.counts_K.sum()

    def __len__(self) -> int:
        """Return the number of graphs."""
        return int(self.counts_K.sum())


@dataclass(frozen=True)
class Discrepancy:
    """MMD² of a set from another, and its 95 % interval."""

    value: float
    interval: Interval

    def over(self, other: float) -> "Discrepancy":
        """Return it divided by another discrepancy, which is taken as given."""
        low, high = self.interval
        return Discrepancy(self.value / other, (low / other, high / other))


def kernel(x_KB: NDArray[np.float64], y_LB: NDArray[np.float64], sigma: float) -> NDArray:
    """Return (K, L) exp(−TV² / 2σ²); the narrower rows are continued with zeros."""
    width = max(x_KB.shape[1], y_LB.shape[1])
    x, y = (np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (x_KB, y_LB))
    return np.exp(-((cdist(x, y, "cityblock") / 2) ** 2) / (2 * sigma**2))


def squared(ours: Rows, theirs: Rows, sigma: float) -> float:
    """Return MMD² of one set from another."""
    return _Kernels.of(ours, theirs, sigma).value


def discrepancy(ours: Rows, theirs: Rows, sigma: float, seed: int = 0) -> Discrepancy:
    """Return MMD² of `ours` from `theirs`, with an interval over fresh sets of as many graphs.

    The graphs of `ours` are resampled by index, the other set is taken as given. A resample repeats
    graphs, and the biased statistic counts each pair of a graph with itself as equal: on average
    that adds (1 − mean k(x, x')) / G, which is taken off again, exactly.
    """
    between, G = _Kernels.of(ours, theirs, sigma), len(ours)
    generator = np.random.default_rng(seed)
    rows = max(1, _DRAWS_AT_ONCE // len(between.p_K))
    found = []
    for begin in range(0, RESAMPLES, rows):
        # How often each index is drawn, summed over equal rows, is multinomial.
        drawn = min(rows, RESAMPLES - begin)
        found.append(between.of_weights(generator.multinomial(G, between.p_K, size=drawn) / G))
    added = (1 - between.ours_alone) / G
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(found) - added, [tail, 1 - tail])
    return Discrepancy(between.value, (float(low), float(high)))


def evaluate(
    generated: PathwayGraphs,
    reference: PathwayGraphs,
    train: PathwayGraphs | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return `mmd/…` of generated graphs from reference graphs, and `mmd_ratio/…`.

    A ratio is MMD²(generated, reference) over what as many training graphs, drawn without
    replacement, have on average, after DiGress: 1 is as near as they are. There is none where the
    training graphs are at no distance.
    `mmd/orbit` is left out where orbit-count is not installed, see `descriptors.orbits_lack`.

    Args:
        generated: at least one graph.
        reference: at least one graph, such as the test split.
        train: the training split; without it there are no ratios.
        seed: of resampling.
    """
    found: dict[str, Estimate] = {}
    ratios: dict[str, Estimate] = {}
    G = len(generated)
    for name, how in usable().items():
        ours, theirs = (Rows.of(how.of(graphs), how.histogram) for graphs in (generated, reference))
        here = discrepancy(ours, theirs, how.sigma, seed)
        version = version_of(how, G, len(reference))
        found[f"mmd/{name}"] = estimated(here.value, here.interval, G, version, "lower")
        if train is None:
            continue
        own = _expected(Rows.of(how.of(train), how.histogram), theirs, how.sigma, G)
        if own > LEAST_OWN:
            ratio = here.over(own)
            version = (
                f"{RATIO_VERSION} of mmd {version}, over what {G} of {len(train)} train have on "
                "average"
            )
            ratios[f"mmd_ratio/{name}"] = estimated(
                ratio.value, ratio.interval, G, version, "lower"
            )
    return found | ratios


def _expected(ours: Rows, theirs: Rows, sigma: float, count: int) -> float:
    """Return the MMD² from `theirs` that `count` of `ours` have on average.

    A graph's kernel with itself is 1, and its share of the V-statistic's pairs is 1 / count.
    """
    whole, n = _Kernels.of(ours, theirs, sigma), len(ours)
    if n == 1:
        return whole.value
    apart = (1 - whole.ours_alone) * n / (n - 1)
    return whole.value + apart * (1 / count - 1 / n)


def glance(graphs: PathwayGraphs, reference: PathwayGraphs) -> float:
    """Return the mean MMD² by in- and out-degree, clustering and spectrum: cheap, no estimate."""
    found = []
    for name in ("in_degree", "out_degree", "clustering", "spectrum"):
        how = DESCRIPTORS[name]
        ours, theirs = (Rows.of(how.of(some), how.histogram) for some in (graphs, reference))
        found.append(squared(ours, theirs, how.sigma))
    return float(np.mean(found))


def usable() -> dict[str, Descriptor]:
    """Return the descriptors that can be computed here."""
    lacking = descriptors.orbits_lack() is not None
    return {name: how for name, how in DESCRIPTORS.items() if name != "orbit" or not lacking}


def version_of(how: Descriptor, generated: int, reference: int) -> str:
    """Return everything that a number depends on, beside the graphs: printed next to it."""
    return (
        f"{VERSION}: Gaussian TV kernel, sigma {how.sigma:g}, {how.bins}, V-statistic, "
        f"{generated} generated, {reference} reference"
    )


@dataclass(frozen=True)
class _Kernels:
    """What MMD² is a quadratic function of the weights of `ours` by."""

    p_K: NDArray[np.float64]
    k_KK: NDArray[np.float64]
    cross_K: NDArray[np.float64]
    """(K,) mean kernel with the other set."""
    theirs_alone: float
    """Mean kernel within the other set."""

    @classmethod
    def of(cls, ours: Rows, theirs: Rows, sigma: float) -> "_Kernels":
        x_KB, y_LB, q_L = ours.values_KB, theirs.values_KB, theirs.weights_K
        return cls(
            p_K=ours.weights_K,
            k_KK=kernel(x_KB, x_KB, sigma),
            cross_K=kernel(x_KB, y_LB, sigma) @ q_L,
            theirs_alone=float(q_L @ kernel(y_LB, y_LB, sigma) @ q_L),
        )

    @property
    def ours_alone(self) -> float:
        return float(self.p_K @ self.k_KK @ self.p_K)

    @property
    def value(self) -> float:
        return float(self.of_weights(self.p_K[None])[0])

    def of_weights(self, w_RK: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((w_RK @ self.k_KK) * w_RK).sum(axis=1) - 2 * w_RK @ self.cross_K + self.theirs_alone
