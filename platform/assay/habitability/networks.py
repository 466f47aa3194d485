"""Metabolic networks of a batch of planets, as the Graph VAE of pathways reads them.

Shapes: B planets, N nodes (padded), E edges of all networks, F features.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from assay.habitability.data.batches import MultiModalBatch
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.graphs import ENVIRONMENT, UNKNOWN


def networks_of(batch: MultiModalBatch, corpus: Corpus) -> PathwayBatch:
    """Return the networks, dense; a planet without one has a single node that is not named.

    Their environment is unknown: here it is a target.
    """
    graphs: Any = batch.bio_graphs
    owner, starts, device = graphs.batch, graphs.ptr, batch.record_ids.device
    counts_B = (starts[1:] - starts[:-1]).clamp(min=1)
    place = torch.arange(len(owner), device=device) - starts[owner]
    B, N = len(batch), int(counts_B.max())
    compounds_BN = torch.full((B, N), UNKNOWN, dtype=torch.int64, device=device)
    compounds_BN[owner, place] = graphs.compound
    named_BN = compounds_BN != UNKNOWN
    source, target = graphs.edge_index
    pair = (owner[source] * N + place[source]) * N + place[target]

    def matrix(values_E: Tensor) -> Tensor:
        """Return (B, N, N): of an edge that is listed several times the largest value."""
        flat = torch.zeros(B * N * N, dtype=torch.int64, device=device)
        return flat.scatter_reduce(0, pair, values_E.long(), "amax").view(B, N, N)

    unknown_B4 = torch.zeros(B, len(ENVIRONMENT), device=device)
    return PathwayBatch(
        record_ids=batch.record_ids,
        mask_BN=torch.arange(N, device=device) < counts_B[:, None],
        compounds_BN=compounds_BN,
        classes_BN=corpus.classes_V.to(device)[compounds_BN] * named_BN,
        features_BNF=corpus.features_VF.to(device)[compounds_BN] * named_BN.unsqueeze(-1),
        adjacency_BNN=matrix(torch.ones_like(source)).bool(),
        reversible_BNN=matrix(graphs.edge_reversible).bool(),
        main_BNN=matrix(graphs.edge_main).bool(),
        reactions_BNN=matrix(graphs.edge_reaction_class),
        hidden_BNN=torch.zeros(B, N, N, dtype=torch.bool, device=device),
        environment_B4=unknown_B4,
        known_B4=unknown_B4.bool(),
    )


def those_of(networks: PathwayBatch, chosen: Tensor) -> PathwayBatch:
    """Return the networks at `chosen`, int64 positions."""
    return replace(networks, **{name: value[chosen] for name, value in vars(networks).items()})
