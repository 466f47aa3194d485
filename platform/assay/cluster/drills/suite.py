"""What a drill runs: nine cells, each a few seconds of training, at two cells at a time."""

from typing import Any

from assay.cell import Suite
from assay.config import validate

CHECKPOINT_SECONDS = 0.2
"""So that a fault throws away a few steps, and there are always two checkpoints."""
AT_ONCE = 2
"""On every machine, so that a drill meets the same order of cells."""

PAGE: dict[str, Any] = {
    "name": "drill",
    "title": "Nine tiny cells on the mini set, to be disturbed",
    "family": "generation",
    "data": "mini",
    "grid": {
        "architecture": ["gnn", "transformer", "pairformer"],
        "process": ["flow_matching", "diffusion", "stochastic_interpolant"],
    },
    "seeds": [0],
    "budget": {"samples": 800},
    "training": {"batch_size": 8, "validations": 2},
    "settings": {
        "network": {"size": "xs"},
        "process": {"steps": 4},
        "validation_molecules": 8,
        "evaluation_samples": 8,
    },
    "resources": {"cpus": 1},
}


def page(rules: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Return the suite as the content of its YAML file, with more rules."""
    return {**PAGE, "rules": list(rules)}


def suite(rules: tuple[dict[str, Any], ...] = ()) -> Suite:
    """Return the suite.

    Raises:
        ConfigError: a rule is wrong.
    """
    return validate(Suite, page(rules), "the drills' suite")
