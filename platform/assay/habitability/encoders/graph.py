"""Metabolic networks: the Graph VAE of pathways, whose doubt is a gate.

Shapes: B planets, N nodes (padded), L latent entries, D width.
"""

import torch
from torch import Tensor, nn

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.encoders.encoder import Encoder, Tokens, all_there
from assay.habitability.networks import networks_of, those_of
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import Gaussian, Posterior
from assay.pathways.graph_vae import GraphVAE
from assay.pathways.graph_vae_settings import GraphVAESettings
from assay.training.draws import Draws


class GraphEncoder(Encoder):
    """One token: the means of latents, as far open as they are certain.

    Those of the graph, and those of its nodes, a mean over them: what says which compounds there
    are is in the nodes' alone.
    """

    def __init__(self, settings: GraphVAESettings, corpus: Corpus, width: int) -> None:
        super().__init__()
        self.vae = GraphVAE(settings, corpus)
        latents = settings.latents
        entries = latents.local + latents.globally + latents.nodes
        self.project = nn.Sequential(nn.Linear(entries, width), nn.LayerNorm(width))
        self.certainty = nn.Linear(entries, 1)
        # To begin with half open at the variance of the prior, and open where there is none.
        nn.init.constant_(self.certainty.weight, -1 / entries)
        nn.init.zeros_(self.certainty.bias)

    def forward(self, batch: MultiModalBatch) -> Tokens:
        """Return the token; every edge is in sight, and nothing is drawn."""
        networks = networks_of(batch, self.vae.corpus)
        latents = _of_graphs(self.vae.encoder(networks), networks.mask_BN)
        gate_B1 = self.certainty(latents.log_variance).sigmoid()
        return all_there((gate_B1 * self.project(latents.mean)).unsqueeze(1))

    def losses(
        self, batch: MultiModalBatch, draws: Draws, step: int | None
    ) -> tuple[Tensor, Tensor]:
        """Return what the VAE minimises but for its constraint, and that, weighted: of degrees.

        Means over all planets of the batch; one without a network counts 0.
        """
        chosen = torch.nonzero(batch.has("bio_graphs"))[:, 0]
        share = len(chosen) / len(batch)
        if not len(chosen):  # so that every parameter still has a gradient: of 0
            chosen = chosen.new_zeros(1)
        networks = those_of(networks_of(batch, self.vae.corpus), chosen)
        own = Draws(draws.seed, draws.step, networks.record_ids)
        outcome = self.vae(networks, own, step)
        degree = self.vae.own.weights.degree * outcome.losses["degree"]
        rest = outcome.total - degree
        return rest * share, degree * share


def _of_graphs(posterior: Posterior, mask_BN: Tensor) -> Gaussian:
    """Return (B, L): the latents of graphs, and the means over nodes of those of nodes."""
    graph, nodes, there_BN1 = posterior.graph, posterior.nodes, mask_BN.unsqueeze(-1)
    if nodes is None:
        return graph
    both = [
        torch.cat([own_BL, (of_nodes * there_BN1).sum(1) / there_BN1.sum(1)], -1)
        for own_BL, of_nodes in (
            (graph.mean, nodes.mean),
            (graph.log_variance, nodes.log_variance),
        )
    ]
    return Gaussian(both[0], both[1])
