"""A conditional variational autoencoder of directed metabolic graphs.

Kipf, Welling, "Variational graph auto-encoders" (2016), for latents of nodes; Simonovsky,
Komodakis, "GraphVAE", ICANN 2018, for graphs that are decoded at once. Beyond both: directions,
compounds as nodes, an environment of which little is known, and edges that the encoder does not
see and the decoder has to find (Im et al., "Denoising criterion for variational auto-encoding
framework", AAAI 2017).

Shapes: B graphs, N nodes (padded), L latent entries, D width, V compounds, S candidates.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from assay.config import Size, SizedSettings
from assay.pathways import assembly, objective
from assay.pathways.batches import PathwayBatch, drawn_pairs
from assay.pathways.conditions import Way
from assay.pathways.corpus import Corpus
from assay.pathways.decoder import Decoded, Decoder
from assay.pathways.encoder import Encoder, LatentSettings, Posterior
from assay.pathways.encodings import Encodings
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel
from assay.pathways.objective import Kullback, Weights
from assay.training.draws import Draws

Share = Annotated[float, Field(ge=0, lt=1)]


class GraphVAESettings(SizedSettings, ModelSettings):
    """Of the encoder, the decoder and the objective."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 1, "heads": 2, "pairs": 8},
        "s": {"width": 64, "depth": 2, "heads": 4, "pairs": 16},
        "m": {"width": 128, "depth": 3, "heads": 4, "pairs": 32},
        "l": {"width": 256, "depth": 4, "heads": 8, "pairs": 32},
    }
    width: PositiveInt
    depth: PositiveInt
    """Blocks of the encoder, and of the decoder."""
    heads: PositiveInt
    pairs: PositiveInt
    """Width of what the encoder sees of a pair."""
    latents: LatentSettings = LatentSettings()
    encodings: Encodings = Encodings()
    environment: Way = "both"
    """How encoder and decoder are told of the environment."""
    directed: bool = True
    """False for comparison: both directions of an edge are given one score."""
    uncertain: bool = True
    """Whether the decoder says of each pair how sure it is."""
    hidden: Share = 0.2
    """Of the pairs of a graph, whose edges the encoder does not see."""
    balance: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How edges, which are few, are weighted: (non-edges / edges) to this power."""
    connected: bool = True
    """Whether generated graphs begin as a weakly spanning tree of the most likely edges."""
    weights: Weights = Weights()
    kullback: Kullback = Kullback()

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class GraphVAE(PathwayModel):
    """Encoder, decoder and what trains them."""

    Settings = GraphVAESettings

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the two networks."""
        super().__init__(settings, corpus)
        own = self.own = cast(GraphVAESettings, settings)
        self.encoder = Encoder(
            own.width, own.depth, own.heads, own.pairs, own.latents, own.encodings, own.environment
        )
        widths = (own.latents.nodes, own.latents.local + own.latents.globally)
        self.decoder = Decoder(
            own.width, own.depth, own.heads, widths, own.environment, corpus, own.directed,
            own.uncertain,
        )  # fmt: skip
        self.edge_weight = ((1 - corpus.density) / corpus.density) ** own.balance
        self.used_U = torch.nonzero(corpus.counts_V)[:, 0]

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return the weighted terms of the objective."""
        seen = batch
        if self.own.hidden:
            seen = batch.without(drawn_pairs(batch, draws, "hidden") < self.own.hidden)
        posterior = self.encoder(seen)
        nodes_BNL, graph_BL = drawn(posterior, draws)
        condition_BD = self.decoder.condition(batch.environment_B4, batch.known_B4)
        decoded = self.decoder(nodes_BNL, graph_BL, batch.mask_BN, condition_BD)
        weights, found = self.own.weights, dict[str, Tensor]()
        if weights.edges:
            found["edges"] = objective.edges(decoded, batch, self.edge_weight)
        if weights.existence:
            slots_BM = self.decoder.existence(graph_BL, condition_BD)
            found["existence"] = objective.existence(slots_BM, batch)
        if weights.classes:
            found["classes"] = objective.classes(decoded, batch)
        if weights.compounds:
            found["compounds"] = self._compounds(decoded, batch, draws)
        if weights.types:
            found["types"] = objective.types(decoded, batch)
        if weights.kl:
            free = self.own.kullback.free_bits
            found["kl"] = objective.divergence(
                posterior.nodes, posterior.graph, batch.mask_BN, free
            )
        if weights.degree:
            found["degree"] = objective.degree(decoded, batch, self.corpus)
        total = sum(
            (getattr(weights, name) * (self._warmth(step) if name == "kl" else 1) * value
             for name, value in found.items()),
            torch.zeros((), device=batch.mask_BN.device),
        )  # fmt: skip
        return Outcome(total, found, posterior.graph.mean)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return what the decoder makes of the latents' means."""
        posterior = self.encoder(batch)
        condition_BD = self.decoder.condition(batch.environment_B4, batch.known_B4)
        means = posterior.nodes.mean, posterior.graph.mean
        return self.decoder(*means, batch.mask_BN, condition_BD).edges_BNN

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return graphs of latents from the prior."""
        N = mask_BN.shape[1]
        nodes_BNL = draws.normal("nodes", N, self.own.latents.nodes)
        graph_BL = draws.normal("graph", self.own.latents.local + self.own.latents.globally)
        condition_BD = self.decoder.condition(environment_B4, known_B4)
        decoded = self.decoder(nodes_BNL, graph_BL, mask_BN, condition_BD)
        pairs_BNN = mask_BN[:, :, None] & mask_BN[:, None, :]
        pairs_BNN &= ~torch.eye(N, dtype=torch.bool, device=mask_BN.device)
        return Generated(
            compounds_BN=assembly.distinct_compounds(self._logits(decoded), mask_BN, draws),
            adjacency_BNN=assembly.likely_edges(decoded.edges_BNN, pairs_BNN, self.own.connected),
            reversible_BNN=decoded.reversible_BNN > 0,
            reactions_BNN=decoded.reactions_BNNR[..., 1:].argmax(-1) + 1,
        )

    def _compounds(self, decoded: Decoded, batch: PathwayBatch, draws: Draws) -> Tensor:
        device = batch.mask_BN.device
        # One draw for the whole step, whoever computes which part of it.
        whole = Draws(draws.seed, draws.step, torch.zeros(1, dtype=torch.int64, device=device))
        used_U = self.used_U.to(device)
        chosen_S = whole.bits("candidates", objective.CANDIDATES)[0] % len(used_U)
        candidates_S = used_U[chosen_S]
        keys_SD, common_S = self._keys(candidates_S)
        others_BNS = decoded.queries_BND @ keys_SD.T + common_S
        keys_BND, common_BN = self._keys(batch.compounds_BN)
        own_BN = (decoded.queries_BND * keys_BND).sum(-1) + common_BN
        return objective.compounds(own_BN, others_BNS, batch.compounds_BN, candidates_S)

    def _keys(self, compounds: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys (…, D) and how common they are (…) of compounds (…)."""
        tables = (self.corpus.features_VF, self.corpus.classes_V, self.corpus.counts_V)
        return self.decoder.keys(*(table.to(compounds.device)[compounds] for table in tables))

    def _logits(self, decoded: Decoded) -> Tensor:
        """Return (B, N, V): log odds of compounds; -inf of those that training does not name."""
        used_U = self.used_U.to(decoded.queries_BND.device)
        keys_UD, common_U = self._keys(used_U)
        logits_BNU = decoded.queries_BND @ keys_UD.T + common_U
        shape = (*logits_BNU.shape[:2], len(self.corpus.names))
        return logits_BNU.new_full(shape, -torch.inf).index_copy(2, used_U, logits_BNU)

    def _warmth(self, step: int | None) -> float:
        warmup = self.own.kullback.warmup_steps
        return 1.0 if step is None or step >= warmup else step / warmup


def drawn(posterior: Posterior, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return a draw of the nodes' latents (B, N, L) and of the graph's (B, L)."""
    nodes, graph = posterior.nodes.mean, posterior.graph.mean
    return (
        posterior.nodes.at(draws.normal("nodes", *nodes.shape[1:])),
        posterior.graph.at(draws.normal("graph", graph.shape[1])),
    )
