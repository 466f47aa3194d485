"""What the report draws of a cell of pathways: small files beside its result.

    neighbours.json    the first generated pathways, each beside the training pathway most like it
    latents.json       the test pathways on the first two principal axes of the cell's latents
    reliability.json   the reliability diagram, by bins (`metrics.calibration.reliability`)

The report is made of results alone, without the data set: what a figure says stands in its file.

Shapes: G graphs, N nodes and E edges of one, L latent entries.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, model_validator

from assay.config import Settings
from assay.pathways.data.labels import Labels
from assay.pathways.graphs import ENVIRONMENT, REACTION_CLASSES, UNKNOWN, PathwayGraphs
from assay.pathways.likeness import SIMILARITY, most_alike

NEIGHBOURS = 4
"""Generated pathways that are kept beside their nearest: the first ones, so that nobody chose."""
_DIGITS = 4


class Drawn(Settings):
    """A pathway to be drawn."""

    title: str
    compounds: list[str | None]
    """(N,) the source's ids; None where a model gives no name."""
    names: list[str]
    """(N,) what people call them."""
    edges: list[tuple[NonNegativeInt, NonNegativeInt, bool]]
    """(E,) source, target, and whether the edge is reversible."""

    @model_validator(mode="after")
    def _nodes_are_there(self) -> Self:
        N = len(self.names)
        if len(self.compounds) != N:
            raise ValueError(f"there are {len(self.compounds)} compounds and {N} names")
        for source, target, _ in self.edges:
            if source == target or max(source, target) >= N:
                raise ValueError(f"there is no edge {source}->{target} among {N} nodes")
        return self


class Neighbours(Settings):
    """A generated pathway and the training pathway that is most like it."""

    generated: Drawn
    nearest: Drawn
    edges: NonNegativeFloat
    """Jaccard index of the named edges of the two."""
    compounds: NonNegativeFloat
    """That of their compounds."""


class NeighbourFile(Settings):
    """`neighbours.json`."""

    similarity: str
    """By what the nearest is the nearest."""
    pairs: list[Neighbours]


class LatentMap(Settings):
    """`latents.json`: of each of G test pathways where it lies and what it is."""

    explained: tuple[NonNegativeFloat, NonNegativeFloat]
    """Shares of the variance of the latents along the two axes."""
    x: list[float]
    y: list[float]
    titles: list[str]
    classes: list[str]
    """The source's class of the pathway; "" where it names none."""
    reactions: list[str]
    """The class of most of its reactions, the first of equals."""
    oxygen_taken_up: list[bool | None]
    environment: dict[str, list[float | None]]
    """By the names of `ENVIRONMENT`, in their units; None is unknown."""

    @model_validator(mode="after")
    def _each_is_of_all(self) -> Self:
        if set(self.environment) != set(ENVIRONMENT):
            raise ValueError(f"environment needs {', '.join(ENVIRONMENT)}")
        lists = (self.x, self.y, self.titles, self.classes, self.reactions, self.oxygen_taken_up)
        if len({len(each) for each in (*lists, *self.environment.values())}) != 1:
            raise ValueError("its lists are of different lengths")
        return self


class ReliabilityBin(Settings):
    """The pairs to which about the same probability was given."""

    pairs: NonNegativeInt
    probability: NonNegativeFloat
    """The mean of what was said."""
    share: NonNegativeFloat
    """Of the pairs that are edges."""


class ReliabilityFile(Settings):
    """`reliability.json`."""

    bins: list[ReliabilityBin]
    """Those that are not empty, ascending."""


def neighbours(generated: PathwayGraphs, train: PathwayGraphs, labels: Labels) -> NeighbourFile:
    """Return the first generated graphs, each beside the training graph that is most like it.

    Args:
        generated: Of a model; only the first ones are looked at.
        train: The graphs that it was trained on.
        labels: Of them, and of their table of compounds.
    """
    first = generated.select(np.arange(min(NEIGHBOURS, len(generated))))
    called = dict(zip(train.compounds, labels.compounds, strict=True))
    alike = most_alike(first, train)
    pairs = [
        Neighbours(
            generated=_drawn(first, k, f"Generated pathway {k + 1}", called),
            nearest=_drawn(train, place, labels.pathways[place], called),
            edges=round(float(alike.edges_G[k]), _DIGITS),
            compounds=round(float(alike.compounds_G[k]), _DIGITS),
        )
        for k, place in enumerate(alike.places_G.tolist())
    ]
    return NeighbourFile(similarity=SIMILARITY, pairs=pairs)


def latent_map(
    latents_GL: NDArray[np.floating], graphs: PathwayGraphs, labels: Labels
) -> LatentMap:
    """Return where graphs lie on the two principal axes of their latents.

    Args:
        latents_GL: Of the graphs.
        graphs: Test graphs.
        labels: Of them.
    """
    xy_G2, explained = two_axes(latents_GL)
    known, values = np.asarray(graphs.environment_known), graphs.environment
    taken_up = {UNKNOWN: None, 0: False, 1: True}
    return LatentMap(
        explained=explained,
        x=_short(xy_G2[:, 0]),
        y=_short(xy_G2[:, 1]),
        titles=list(labels.pathways),
        classes=list(labels.classes),
        reactions=_most_common_reactions(graphs),
        oxygen_taken_up=[taken_up[code] for code in graphs.consumes_oxygen.tolist()],
        environment={
            name: [
                value if there else None
                for value, there in zip(_short(values[:, k]), known[:, k].tolist(), strict=True)
            ]
            for k, name in enumerate(ENVIRONMENT)
        },
    )


def two_axes(
    latents_GL: NDArray[np.floating],
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return (G, 2) scores on the first two principal axes, and the variance that each explains.

    An axis has the sign that makes the first of its largest loadings positive, so that the same
    latents give the same map. What does not vary lies at 0.
    """
    centred_GL = latents_GL.astype(np.float64) - latents_GL.mean(0, dtype=np.float64)
    _, spread_K, axes_KL = np.linalg.svd(centred_GL, full_matrices=False)
    axes_2L, spread_2 = np.zeros((2, centred_GL.shape[1])), np.zeros(2)
    axes_2L[: len(axes_KL)] = axes_KL[:2]
    spread_2[: len(spread_K)] = spread_K[:2] ** 2
    largest_2 = np.abs(axes_2L).round(9).argmax(1)
    axes_2L *= np.where(axes_2L[[0, 1], largest_2] < 0, -1, 1)[:, None]
    first, second = (spread_2 / max(float((spread_K**2).sum()), 1e-300)).tolist()
    return centred_GL @ axes_2L.T, (round(first, _DIGITS), round(second, _DIGITS))


def _drawn(graphs: PathwayGraphs, k: int, title: str, called: Mapping[str, str]) -> Drawn:
    compounds = graphs.names_of(k)
    edges = slice(graphs.edge_offsets[k], graphs.edge_offsets[k + 1])
    told = zip(graphs.edges_of(k).T.tolist(), graphs.reversible[edges].tolist(), strict=True)
    flags: dict[tuple[int, int], bool] = {}
    for (source, target), reversible in told:  # an edge may be listed again
        flags[source, target] = flags.get((source, target), False) or reversible
    return Drawn(
        title=title,
        compounds=compounds,
        names=["unnamed" if id is None else called.get(id, id) for id in compounds],
        edges=[(source, target, flag) for (source, target), flag in flags.items()],
    )


def _most_common_reactions(graphs: PathwayGraphs) -> list[str]:
    """Return the class of most of a graph's edges among the known ones; "unknown" without any."""
    R = len(REACTION_CLASSES)
    owner_E = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    codes_E = owner_E * R + graphs.reaction_classes
    counts_GR = np.bincount(codes_E, minlength=len(graphs) * R).reshape(-1, R)
    counts_GR[:, 0] = 0  # which is what argmax then falls back to
    return [REACTION_CLASSES[code] for code in counts_GR.argmax(1).tolist()]


def _short(values: NDArray[np.floating]) -> list[float]:
    return np.round(values.astype(np.float64), _DIGITS).tolist()
