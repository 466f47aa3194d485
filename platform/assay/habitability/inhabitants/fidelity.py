"""Whether networks heed the planet that they were asked for: beside networks asked otherwise.

Three sets of networks come of one model, of the same sizes and from the same noise: asked for the
planet, for nothing, and for the environments of real networks ("shuffled"). All are judged by what
the planet asks. What the first has beyond the third, it owes to the planet.

Shapes: G networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError
from assay.habitability.inhabitants.judges import VERSION, Judges
from assay.habitability.inhabitants.world import World
from assay.pathways.classifier import AEROBIC_FROM
from assay.pathways.environment import normalised
from assay.pathways.evaluation import Asked, drawn_from
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.estimates import mean_over_graphs, share
from assay.pathways.model import PathwayModel
from assay.pathways.task import PathwaysTask
from assay.task import Estimate
from assay.training.draws import fold

How = Literal["planet", "open", "shuffled"]
"""What networks were asked for: the planet, nothing, or the environments of real networks."""


@dataclass(frozen=True)
class Judged:
    """Networks, and what the judges make of them."""

    graphs: PathwayGraphs
    consumes_G: NDArray[np.int64] | None
    """1 where O2 is taken up, 0 where not; None where nobody can tell."""
    told_K_G: NDArray[np.float64] | None
    """Temperatures; None where nobody can tell."""


def asked_three_ways(
    task: PathwaysTask, model: PathwayModel, world: World, count: int, seed: int
) -> dict[How, PathwayGraphs]:
    """Return `count` networks for each of `How`; network k of all has the same size and noise.

    Raises:
        ConfigError: the model is told of no environment, or no real network's is known.
    """
    if getattr(task.chosen.model, "environment", "none") == "none":
        raise ConfigError(
            f"{task.cell.label}: the model is told of no environment, so that it cannot be asked "
            "for a planet's; take a graph_vae whose settings.model.environment is not none"
        )
    for_planet = Asked(
        drawn_from(task.train, count, seed).sizes_G,
        np.tile(normalised(world.environment_4, world.known_4), (count, 1)),
        np.tile(world.known_4, (count, 1)),
    )
    if task.chosen.sizes == "model":
        for_planet = for_planet.sized_by(model, seed)
    others = _environments(task, world, count, seed)
    wishes: dict[How, Asked] = {
        "planet": for_planet,
        "open": replace(for_planet, known_G4=np.zeros_like(for_planet.known_G4)),
        "shuffled": replace(for_planet, environment_G4=others[0], known_G4=others[1]),
    }
    return {how: wish.sample(model, seed) for how, wish in wishes.items()}


def judged(graphs: PathwayGraphs, judges: Judges) -> Judged:
    """Return networks with what the judges make of them."""
    return Judged(
        graphs,
        None if judges.oxygen is None else judges.oxygen(graphs),
        None if judges.thermometer is None else judges.thermometer(graphs),
    )


def compared(found: Mapping[How, Judged], judges: Judges, world: World) -> dict[str, Estimate]:
    """Return how well networks fit the planet, under `oxygen/…` and `temperature/…`.

    `planet`, `open` and `shuffled`: the share of networks that take up O2 if the planet is aerobic,
    none if it is not, and the mean distance in K of the temperature that they are taken for;
    `real`: how well the judge does on held-out real networks; `beyond_shuffled`: how much better
    those for the planet are than the shuffled ones, network by network. What nobody can judge is
    left out.
    """
    estimates: dict[str, Estimate] = {}
    wanted = int(world.oxygen > AEROBIC_FROM)
    if judges.oxygen is not None:
        right = {how: each.consumes_G == wanted for how, each in found.items()}
        for how, right_G in right.items():
            estimates[f"oxygen/{how}"] = share(int(np.sum(right_G)), len(right_G), VERSION)
        _put(estimates, "oxygen/beyond_shuffled",
             np.subtract(right["planet"], right["shuffled"], dtype=np.float64))  # fmt: skip
        if judges.oxygen_right is not None:
            estimates["oxygen/real"] = judges.oxygen_right
    off_K = {
        how: np.abs(each.told_K_G - world.mean_K)
        for how, each in found.items()
        if each.told_K_G is not None
    }
    for how, each_K in off_K.items():
        _put(estimates, f"temperature/{how}", each_K, "lower")
    if off_K:
        _put(estimates, "temperature/beyond_shuffled", off_K["shuffled"] - off_K["planet"])
    if judges.error_K is not None:
        estimates["temperature/real"] = judges.error_K
    return estimates


def _put(
    estimates: dict[str, Estimate],
    name: str,
    values_G: NDArray[np.float64],
    better: Literal["higher", "lower"] = "higher",
) -> None:
    found = mean_over_graphs(values_G, VERSION, better)
    if found is not None:
        estimates[name] = found


def _environments(
    task: PathwaysTask, world: World, count: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (G, 4) environments of real networks, normalised, and what is known of them.

    Of the entries that a planet has; of networks of which at least one of these is known.
    """
    train = task.train
    known = np.asarray(train.environment_known) & world.known_4
    some = np.flatnonzero(known.any(1))
    if not len(some):
        raise ConfigError(
            f"{task.cell.label}: its training networks tell neither temperature nor O2; take a "
            "cell of a set that tells them, such as metacyc"
        )
    generator = np.random.Generator(np.random.Philox(key=fold(seed, "environments of others")))
    chosen = some[generator.integers(len(some), size=count)]
    return normalised(train.environment[chosen], known[chosen]), known[chosen]
