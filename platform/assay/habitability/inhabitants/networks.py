"""Samples networks for a planet from a trained model of pathways, and says how they fit it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from assay.habitability.data.target import VERSION as RULE
from assay.habitability.inhabitants.caption import Described, caption, describe, whole
from assay.habitability.inhabitants.fidelity import (
    How,
    Judged,
    asked_three_ways,
    compared,
    judged,
)
from assay.habitability.inhabitants.judges import VERSION, Judges
from assay.habitability.inhabitants.world import World
from assay.pathways.data.packing import labels_of
from assay.pathways.graphs import ENVIRONMENT
from assay.pathways.metrics.files import json_lines
from assay.pathways.model import PathwayModel
from assay.pathways.task import PathwaysTask
from assay.task import Estimate, Progress
from assay.training.draws import fold


@dataclass(frozen=True)
class Inhabitants:
    """Networks for a planet."""

    world: World
    found: Judged
    described: list[Described]
    captions: list[str]
    compared: Mapping[str, Estimate]
    called: list[list[str]]
    """What people call the compounds of each network; "" of those that the model does not name."""

    def lines(self) -> Iterator[str]:
        """Yield a line of JSON a network, as `assay evaluate pathways` reads it, with its words."""
        graphs = json_lines(self.found.graphs).rstrip("\n").split("\n")
        told = zip(graphs, self.called, self.described, self.captions, strict=True)
        for line, called, of, text in told:
            yield json.dumps(
                {
                    **json.loads(line),
                    "planet": self.world.name,
                    "names": called,
                    "sources": of.sources,
                    "sinks": of.sinks,
                    "consumes_oxygen": of.consumes_oxygen,
                    "temperature_K": of.temperature_K,
                    "window_K": of.window_K,
                    "metabolic_habitability": of.habitability,
                    "caption": text,
                },
                ensure_ascii=False,
            )

    def plain(self) -> dict[str, Any]:
        """Return what holds of all networks together, as JSON."""
        world = self.world
        asked = zip(ENVIRONMENT, world.environment_4.tolist(), world.known_4, strict=True)
        return {
            "planet": world.name,
            "climate": world.source,
            "oxygen_bar": world.oxygen_bar,
            "environment": {name: value if known else None for name, value, known in asked},
            "samples": len(self.captions),
            "fidelity": {
                name: each.model_dump(mode="json") for name, each in self.compared.items()
            },
            "versions": {"inhabitants": VERSION, "metabolic_habitability": RULE},
            "verdict": whole(self.compared),
        }


def inhabitants(
    task: PathwaysTask, model: nn.Module, world: World, count: int, progress: Progress
) -> Inhabitants:
    """Sample networks for a planet, and beside them those that its judgement needs.

    Args:
        task: Of the cell that was trained.
        model: Its model.
        world: The planet.
        count: Networks for the planet; as many again are asked for nothing, and for others.
        progress: Told how far it has come.

    Raises:
        ConfigError: the model cannot be asked for an environment.
    """
    progress("sample", 0.0)
    seed = fold(task.cell.seed, "inhabitants")
    made = asked_three_ways(task, cast(PathwayModel, model), world, count, seed)
    progress("judge", 0.5)
    judges = Judges.of(task)
    found: dict[How, Judged] = {how: judged(graphs, judges) for how, graphs in made.items()}
    estimates = compared(found, judges, world)
    own, labels = found["planet"], labels_of(task.prepared).compounds
    names = dict(zip(own.graphs.compounds, labels, strict=True))
    called = [
        [names[id] if id is not None else "" for id in own.graphs.names_of(k)] for k in range(count)
    ]
    described = [describe(own, k, called[k], judges, world) for k in range(count)]
    captions = [caption(of, world, judges, estimates) for of in described]
    return Inhabitants(world, own, described, captions, estimates, called)
