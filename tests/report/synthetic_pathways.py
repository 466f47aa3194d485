"""A suite of pathways that nobody ran, with all that its figures are drawn from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assay.pathways.data.labels import Labels
from assay.pathways.figures import latent_map, neighbours
from assay.result import write_json
from assay.store.texts import Texts
from tests.pathways import made
from tests.report.synthetic import cell, estimate, result

TRAIN = made.graphs()
LABELS = Labels(
    TRAIN.compounds,
    Texts.of(f"<i>pathway</i> {k}" for k in range(len(TRAIN))),
    Texts.of("Degradation" if k % 2 else "Biosynthesis" for k in range(len(TRAIN))),
)
FLOOR = "rewired"
"""Which learns nothing, and has neither latents nor a diagram."""
BINS = ([(80, 0.05, 0.1), (20, 0.9, 1.0)], [(20, 0.03, 0.0), (10, 0.5, 0.4)])
"""Pairs, probability and share; of the first seed, and of all others."""


def write_pathways(
    folder: Path, models: Sequence[str] = ("graph_vae", FLOOR), seeds: Sequence[int] = (0, 1)
) -> int:
    """Write a whole published folder and return the number of its cells; the floor has one seed."""
    made_of = [(m, s) for m in models for s in seeds if m != FLOOR or s == seeds[0]]
    for place, (model, seed) in enumerate(made_of):
        of = cell({"model": model}, seed) | {"family": "pathways"}
        scored = {"reversed_edge/auc": estimate(0.9 - 0.0005 * place)}
        plain = result(of, 0.5).model_copy(update={"estimates": scored})
        key = plain.provenance.cell_key
        write_json(folder / f"{key}.json", plain)
        generated = TRAIN.select([(3 + place) % len(TRAIN), 8, 9])
        write_json(folder / f"{key}.neighbours.json", neighbours(generated, TRAIN, LABELS))
        if model == FLOOR:
            continue
        latents_GL = np.random.default_rng(seed).normal(size=(len(TRAIN), 3))
        write_json(folder / f"{key}.latents.json", latent_map(latents_GL, TRAIN, LABELS))
        names = ("pairs", "probability", "share")
        told = [dict(zip(names, each, strict=True)) for each in BINS[min(seed, 1)]]
        write_json(folder / f"{key}.reliability.json", {"bins": told})
    suite = {
        "name": "pathways_mini", "title": "Pathways", "family": "pathways", "data": "mini_pathways",
        "grid": {"model": list(models)}, "seeds": list(seeds), "budget": {"steps": 100},
    }  # fmt: skip
    write_json(folder / "suite.json", suite)
    return len(made_of)
