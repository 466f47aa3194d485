"""Random graphs of made compounds, and models of them: small enough to be tried many times."""

from functools import cache

import numpy as np
import torch

from assay.pathways.batches import PathwayBatch, PathwayRecords
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.corpus import Corpus
from assay.pathways.graph_vae import GraphVAE
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.training.draws import Draws

FORMULAS = ("CH4O", "C2H6O", "C2H7NO4P", "C3H6OS", "C6H12O6", "C3H7NO2", "CH4", "C2H4R", None)
TINY = {"size": "xs", "width": 16, "latents": {"nodes": 4, "local": 2, "globally": 2}}


@cache
def graphs(count: int = 24, seed: int = 0, most: int = 8) -> PathwayGraphs:
    """Return connected graphs of 3 to `most` nodes with everything that an edge can have."""
    random = np.random.default_rng(seed)
    return pack(_pathway(random, k, most) for k in range(count))


def _pathway(random: np.random.Generator, k: int, most: int) -> Pathway:
    N = int(random.integers(3, most + 1))
    tree = [(int(random.integers(n)), n) for n in range(1, N)]
    more = [(int(s), int(t)) for s, t in random.integers(N, size=(2, 2)) if s != t]
    turned = [(t, s) if random.random() < 0.5 else (s, t) for s, t in tree]
    edges = list(dict.fromkeys(turned + more))
    shuffled = random.permutation(N)
    breathes = bool(random.random() < 0.5)
    return Pathway(
        id=f"p{k}",
        nodes=[f"c{v}" for v in random.choice(40, N, replace=False)],
        edges=[(int(shuffled[s]), int(shuffled[t])) for s, t in edges],
        main=(random.random(len(edges)) < 0.8).tolist(),
        reversible=(random.random(len(edges)) < 0.5).tolist(),
        reaction_classes=random.integers(0, 8, len(edges)).tolist(),
        environment=(7.0, None, 0.21 if breathes else 0.0, None),
        family=f"f{k}",
    )


def table(some: PathwayGraphs) -> CompoundTable:
    names = list(some.compounds)
    made = [Compound(FORMULAS[hash_of(name) % len(FORMULAS)], charge=0.0) for name in names]
    return CompoundTable.of(made, names, "made")


def hash_of(name: str) -> int:
    return int(name[1:])


def records(**how) -> PathwayRecords:
    some = graphs(**how)
    return PathwayRecords(some, table(some), np.arange(len(some)))


def batch(indices=range(6), **how) -> PathwayBatch:
    return records(**how).batch(np.asarray(indices))


def corpus() -> Corpus:
    return Corpus.of(graphs(), table(graphs()))


def vae(**settings) -> GraphVAE:
    torch.manual_seed(0)
    return GraphVAE(GraphVAE.Settings.model_validate({**TINY, **settings}), corpus())


def draws(some: PathwayBatch, step: int = 3) -> Draws:
    return Draws(5, step, some.record_ids)
