"""Ablations of the Graph VAE: by name, what changes of a suite's settings, one thing at a time.

As an axis of a grid, `ablation: [whole, no_environment, …]`. `whole` is the suite as it is; what a
row takes away or adds is the difference that it is to be read by.
"""

from collections.abc import Mapping
from typing import Any

from assay.config import choose, set_dotted

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "whole": {},
    "no_environment": {"environment": "none"},
    "film": {"environment": "film"},
    "concatenation": {"environment": "concatenation"},
    "undirected": {"directed": False},
    "sure": {"uncertain": False},
    "all_in_sight": {"hidden": 0.0},
    "unbalanced": {"balance": 0.0},
    "unconnected": {"connected": False},
    "no_positions": {"encodings": {"laplacian": 0, "magnetic": 0}},
    "no_warmup": {"kullback.warmup_steps": 0},
    "no_free_bits": {"kullback.free_bits": 0.0},
    "unnamed": {"named": False},
    "unrefined": {"rounds": 0},
    "refined": {"rounds": 3},
    "graph_latents": {"latents.nodes": 0, "named": False},
    "degree": {"weights.degree": 1.0},
    "modules": {"weights.modules": 0.1},
    "matching": {"weights.matching": 1.0},
    "contrast": {"weights.contrast": 0.1},
    "flow": {"flow": 4},
    "adversarial": {"weights.adversarial": 0.5},
    "ode": {"ode_steps": 4},
    "elements": {"weights.elements": 0.1},
}


def ablated(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model as an ablation changes them.

    Args:
        name: Of `ABLATIONS`.
        given: Those of the suite.

    Raises:
        ConfigError: there is no such ablation; the sentence names the nearest.
    """
    found: dict[str, Any] = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in given.items()
    }
    for key, value in ABLATIONS[choose("ablation", name, ABLATIONS)].items():
        set_dotted(found, key, value)
    return found
