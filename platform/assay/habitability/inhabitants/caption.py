"""A network and its planet in a paragraph: a template, filled with what was computed.

What nobody could judge is said to be so, and the last sentence is always that of the whole
set: how networks for the planet compare with those for other environments.

Shapes: N nodes, E edges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.habitability.data.target import LEAST_O2_BAR, meets, metabolic_habitability
from assay.habitability.inhabitants.fidelity import Judged
from assay.habitability.inhabitants.judges import Judges
from assay.habitability.inhabitants.world import World
from assay.pathways.classifier import AEROBIC_FROM
from assay.pathways.metrics.descriptors import degrees
from assay.task import Estimate

MOST_NAMED = 3
"""Compounds that a caption names of a kind."""
FEWEST = 10
"""Networks of which it can be said whether they heed the planet: of a handful, that all are alike
by chance leaves an interval without width."""


@dataclass(frozen=True)
class Described:
    """What is computed of one network for its planet."""

    nodes: int
    edges: int
    reversible: int
    sources: Sequence[str]
    """Compounds that only give edges; "" of one without a name."""
    sinks: Sequence[str]
    """Compounds that only receive edges."""
    consumes_oxygen: bool | None
    """Whether it takes up O2, by the classifier; None where it cannot be judged."""
    temperature_K: float | None
    """That the thermometer takes it for."""
    window_K: tuple[float, float] | None
    """That temperature, less and plus the thermometer's error on real networks."""
    habitability: float | None
    """By the rule of `assay.habitability.data.target`, of that window; of a network that takes up
    O2 with its need for it, of another with none. None without a window or a class."""


def describe(
    found: Judged, k: int, called: Sequence[str], judges: Judges, world: World
) -> Described:
    """Return what is computed of network k.

    Args:
        found: Networks.
        k: Which.
        called: (N,) what people call its compounds.
        judges: Whose errors are the window.
        world: The planet.
    """
    graphs = found.graphs
    nodes = slice(graphs.node_offsets[k], graphs.node_offsets[k + 1])
    edges = slice(graphs.edge_offsets[k], graphs.edge_offsets[k + 1])
    incoming, outgoing = (each[nodes] for each in degrees(graphs))
    consumes = None if found.consumes_G is None else bool(found.consumes_G[k])
    told_K = None if found.told_K_G is None else float(found.told_K_G[k])
    window = None if told_K is None else (told_K - judges.spread_K, told_K + judges.spread_K)
    share = None
    if window is not None and consumes is not None:
        share = metabolic_habitability(
            world.temperature_JLM[None], np.array([window]), np.array([int(consumes)]),
            np.array([world.oxygen_bar]),
        )[0]  # fmt: skip
    return Described(
        nodes=int(graphs.node_counts[k]),
        edges=int(graphs.edge_counts[k]),
        reversible=int(graphs.reversible[edges].sum()),
        sources=[called[n] for n in np.flatnonzero((incoming == 0) & (outgoing > 0)).tolist()],
        sinks=[called[n] for n in np.flatnonzero((outgoing == 0) & (incoming > 0)).tolist()],
        consumes_oxygen=consumes,
        temperature_K=told_K,
        window_K=window,
        habitability=None if share is None else float(share),
    )


def caption(of: Described, world: World, judges: Judges, compared: Mapping[str, Estimate]) -> str:
    """Return the paragraph."""
    return " ".join(
        [
            f"A generated network of {_count(of.nodes, 'compound')} and "
            f"{_count(of.edges, 'directed edge')}, {of.reversible} of them reversible.",
            _ends(of),
            _oxygen(of, world, judges),
            _temperature(of, world, judges),
            _fit(of, world),
            whole(compared),
        ]
    )


def whole(compared: Mapping[str, Estimate]) -> str:
    """Return what is to be said of all networks: whether the planet shows in them at all."""
    beyond = compared.get("oxygen/beyond_shuffled")
    if beyond is None:
        return "Whether networks heed the planet's O2 cannot be judged on this data set."
    if beyond.n < FEWEST:
        return (
            f"Of {_count(beyond.n, 'network')} it cannot be judged whether they heed the planet's "
            f"O2; ask for {FEWEST} or more."
        )
    shares = [
        f"{compared[f'oxygen/{how}'].value:.0%} of those {words}"
        for how, words in (
            ("planet", "asked for this planet"), ("open", "asked for nothing"),
            ("shuffled", "asked for other environments"),
        )
    ]  # fmt: skip
    verdict = (
        "the request shows in their O2"
        if beyond.low > 0
        else "the request shows in their O2 the wrong way"
        if beyond.high < 0
        else "by their O2 the request cannot be told from others, and nothing here is shown to be "
        "owed to the planet"
    )
    return (
        f"Of {_count(beyond.n, 'network')}, {shares[0]}, {shares[1]} and {shares[2]} fit its "
        f"air, taking up O2 where there are more than {AEROBIC_FROM:g} bar of it and none where "
        f"not: {verdict}."
    )


def _ends(of: Described) -> str:
    sources = _named(of.sources, "no compound that only gives")
    sinks = _named(of.sinks, "no compound that only receives")
    return f"It begins with {sources} and ends in {sinks}, edges taken as they are written."


def _named(names: Sequence[str], none: str) -> str:
    if not names:
        return none
    shown = [name or "an unnamed compound" for name in names[:MOST_NAMED]]
    rest = len(names) - len(shown)
    more = [f"{rest} more"] if rest else []
    return _listed([*shown, *more])


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _oxygen(of: Described, world: World, judges: Judges) -> str:
    if of.consumes_oxygen is None:
        return "Whether it takes up O2 cannot be judged on this data set."
    right = judges.oxygen_right
    sure = ""
    if right is not None:
        surely = f"{right.value:.0%} ({right.low:.0%} to {right.high:.0%})"
        sure = f", right of {surely} of held-out real networks, both classes counted alike,"
    above = "above" if world.oxygen > AEROBIC_FROM else "not above"
    return (
        f"By a classifier{sure} it takes up {'O2' if of.consumes_oxygen else 'no O2'}; the "
        f"{world.oxygen_bar:.2g} bar of O2 of {world.name} are {above} {AEROBIC_FROM:g} bar."
    )


def _temperature(of: Described, world: World, judges: Judges) -> str:
    if of.temperature_K is None or judges.error_K is None:
        return (
            "Which temperature it is of cannot be judged: real networks of this data set do not "
            "tell theirs."
        )
    off = of.temperature_K - world.mean_K
    said = (
        f"It is taken for a network of {of.temperature_K:.0f} K, {abs(off):.0f} K "
        f"{'above' if off >= 0 else 'below'} the planet's mean of {world.mean_K:.0f} K; of real "
        f"ones that guess is off by {judges.error_K.value:.0f} K on average."
    )
    if judges.range_K is not None and not judges.range_K[0] <= world.mean_K <= judges.range_K[1]:
        low, high = judges.range_K
        said += (
            f" The planet's mean lies outside the {low:.0f} to {high:.0f} K of the networks that "
            "the model learnt from."
        )
    return said


def _fit(of: Described, world: World) -> str:
    if of.consumes_oxygen is None:
        return "How much of the planet would suit it is not computed."
    need = (
        f"a need for {LEAST_O2_BAR:g} bar of O2"
        if of.consumes_oxygen
        else "no need for O2 to be there"
    )
    if of.habitability is None or of.window_K is None:
        met = bool(meets(np.array([int(of.consumes_oxygen)]), np.array([world.oxygen_bar]))[0])
        return (
            f"With {need}, the air of {world.name} would {'suit' if met else 'not suit'} it; how "
            "much of the area and year would is not computed."
        )
    low, high = of.window_K
    return (
        f"With a window of {low:.0f} to {high:.0f} K, that guess and its error, and {need}, "
        f"{of.habitability:.0%} of the area and year of {world.name} would suit it (metabolic "
        "habitability, a rule)."
    )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
