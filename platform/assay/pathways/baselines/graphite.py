"""Graphite, a VGAE whose decoder refines its latents: Grover, Zweig, Ermon, ICML 2019.

Latents make a soft graph, Â = Z Zᵀ / ‖Z‖² + 1 1ᵀ (equation 6), along which they are passed on and
make the next one; edges are inner products of the last latents. However often it is done, the
soft graph is symmetric: a direction cannot come of it.

Shapes: B graphs, N nodes (padded), L latent entries.
"""

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from assay.pathways.baselines.one_shot import Decoded, OneShotSettings
from assay.pathways.baselines.vgae import VGAE
from assay.pathways.corpus import Corpus
from assay.pathways.model import ModelSettings

KEPT = 0.5
"""Share of a latent that a round leaves: λ in section 3.2."""


class GraphiteSettings(OneShotSettings):
    """Of a VGAE, and how often it is refined."""

    rounds: int = Field(2, ge=1, le=16)


class Graphite(VGAE):
    """Latents of nodes, refined, and inner products."""

    Settings = GraphiteSettings

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the networks of the rounds."""
        super().__init__(settings, corpus)
        assert isinstance(self.own, GraphiteSettings)
        L, width = self.own.latents, self.own.width
        self.inward = nn.ModuleList(nn.Linear(L, width) for _ in range(self.own.rounds))
        self.outward = nn.ModuleList(nn.Linear(width, L) for _ in range(self.own.rounds))

    def decode(self, latent: Tensor, mask_BN: Tensor, told_BD: Tensor) -> Decoded:
        """Return what latents (B, N, L) stand for, once they are refined."""
        there_BN1 = mask_BN.unsqueeze(-1)
        count_B11 = mask_BN.sum(1)[:, None, None]
        z_BNL = latent * there_BN1
        for inward, outward in zip(self.inward, self.outward, strict=True):
            soft_BNN = soft_graph(z_BNL, mask_BN) / count_B11
            hidden_BND = relu(soft_BNN @ (inward(z_BNL) * there_BN1))
            passed_BNL = soft_BNN @ (outward(hidden_BND) * there_BN1)
            z_BNL = (KEPT * z_BNL + (1 - KEPT) * passed_BNL) * there_BN1
        return super().decode(z_BNL, mask_BN, told_BD)


def soft_graph(z_BNL: Tensor, mask_BN: Tensor) -> Tensor:
    """Return (B, N, N): Z Zᵀ / ‖Z‖² + 1 1ᵀ, with the mean square of a node's latent as ‖Z‖²."""
    square_B11 = (z_BNL**2).sum((1, 2))[:, None, None] / mask_BN.sum(1)[:, None, None]
    return z_BNL @ z_BNL.mT / square_B11.clamp(min=1e-6) + 1
