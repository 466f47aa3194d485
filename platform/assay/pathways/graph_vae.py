"""A conditional variational autoencoder of directed metabolic graphs.

Kipf, Welling, "Variational graph auto-encoders" (2016), for latents of nodes; Simonovsky,
Komodakis, "GraphVAE", ICANN 2018, for graphs that are decoded at once. Beyond both: directions,
compounds as nodes, an environment of which little is known, and edges that the encoder does not
see and the decoder has to find (Im et al., "Denoising criterion for variational auto-encoding
framework", AAAI 2017).

Shapes: B graphs, N nodes (padded), L latent entries, D width, V compounds, S candidates.
"""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import ConfigError
from assay.pathways import assembly, matching, modules, objective
from assay.pathways.batches import PathwayBatch, drawn_pairs, pairs_of
from assay.pathways.corpus import Corpus
from assay.pathways.data.checks import FEWEST_NODES
from assay.pathways.decoder import Decoded, Decoder, DecoderShape, Nodes
from assay.pathways.encoder import Encoder, Posterior
from assay.pathways.flow import FlowPrior
from assay.pathways.graph_vae_settings import GraphVAESettings
from assay.pathways.graphs import UNKNOWN
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel
from assay.training.draws import Draws


class GraphVAE(PathwayModel):
    """Encoder, decoder, the prior of the latents and what trains them."""

    Settings = GraphVAESettings

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the networks; what a weight of 0 leaves without use is not there."""
        super().__init__(settings, corpus)
        own = self.own = cast(GraphVAESettings, settings)
        entries = own.latents.local + own.latents.globally
        self.encoder = Encoder(
            own.width, own.depth, own.heads, own.pairs, own.latents, own.encodings,
            own.environment, own.ode_steps, own.sparsity, hides=own.hidden > 0,
        )  # fmt: skip
        shape = DecoderShape(
            width=own.width,
            depth=own.depth,
            heads=own.heads,
            nodes=own.latents.nodes,
            graph=entries,
            directed=own.directed,
            uncertain=own.uncertain,
            rounds=own.rounds,
            named=own.named,
            slots=own.weights.existence > 0,
            modules=own.weights.modules > 0,
            atoms=own.weights.elements > 0,
            sparsity=own.sparsity,
        )
        self.decoder = Decoder(shape, own.environment, corpus)
        condition = own.width if own.environment != "none" else 0
        self.prior = FlowPrior(own.flow, entries, condition) if own.flow else None
        projection = (nn.Linear(own.width, own.width), nn.SiLU(), nn.Linear(own.width, own.width))
        self.projection = nn.Sequential(*projection) if own.weights.contrast else None
        self.edge_weight = ((1 - corpus.density) / corpus.density) ** own.balance
        self.used_U = torch.nonzero(corpus.counts_V)[:, 0]

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return the weighted terms of the objective."""
        seen = self._view(batch, draws, "hidden")
        posterior = self.encoder(seen)
        condition_BD = self.decoder.condition(batch.environment_B4, batch.known_B4)
        nodes_BNL, graph_BL = drawn(posterior, draws)
        decoded = self._decode(nodes_BNL, graph_BL, batch, condition_BD)
        real = batch if posterior.nodes is not None else self._matched(decoded, batch)
        terms: Mapping[str, Callable[[], Tensor]] = {
            "edges": lambda: objective.edges(decoded, real, self.edge_weight),
            "existence": lambda: objective.existence(
                self.decoder.existence(graph_BL, condition_BD), batch
            ),
            "classes": lambda: objective.classes(decoded, real),
            "compounds": lambda: self._compounds(decoded, real, draws),
            "types": lambda: objective.types(self.decoder.kinds(decoded, real.adjacency_BNN), real),
            "kl": lambda: self._divergence(posterior, graph_BL, condition_BD, batch.mask_BN),
            "degree": lambda: objective.degree(decoded, batch, self.corpus),
            "matching": lambda: matching.matched_edges(decoded, batch),
            "modules": lambda: modules.loss(
                cast(modules.DecodedModules, decoded.nodes.modules), real
            ),
            "contrast": lambda: self._contrast(batch, posterior, draws),
            "adversarial": lambda: self._adversarial(seen, batch, draws, condition_BD),
            "elements": lambda: self._elements(decoded, real),
        }
        weights = self.own.weights.model_dump()
        found = {name: term() for name, term in terms.items() if weights[name]}
        total = torch.zeros((), device=batch.mask_BN.device)
        for name, value in found.items():
            total = total + weights[name] * (self._warmth(step) if name == "kl" else 1) * value
        return Outcome(total, found, posterior.graph.mean)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return what the decoder makes of the latents' means."""
        posterior = self.encoder(batch)
        condition_BD = self.decoder.condition(batch.environment_B4, batch.known_B4)
        nodes_BNL = None if posterior.nodes is None else posterior.nodes.mean
        decoded = self._decode(nodes_BNL, posterior.graph.mean, batch, condition_BD)
        if posterior.nodes is not None:
            return decoded.edges_BNN
        place_BN = matching.rounded(matching.plan(decoded, batch)).argsort(1)
        rows_B11 = torch.arange(len(batch), device=place_BN.device)[:, None, None]
        return decoded.edges_BNN[rows_B11, place_BN[:, :, None], place_BN[:, None, :]]

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return graphs of latents from the prior."""
        N, nodes_BNL = mask_BN.shape[1], None
        if self.own.latents.nodes:
            nodes_BNL = draws.normal("nodes", N, self.own.latents.nodes)
        condition_BD = self.decoder.condition(environment_B4, known_B4)
        graph_BL = self._graph_from_prior(draws, condition_BD)
        nodes = self.decoder.begin(nodes_BNL, graph_BL, mask_BN, condition_BD)
        compounds_BN = torch.full_like(mask_BN, UNKNOWN, dtype=torch.int64)
        if self.own.weights.compounds:  # a model that has not learnt names gives none
            compounds_BN = assembly.distinct_compounds(self._logits(nodes), mask_BN, draws)
        compounds_BND = self._compound_vectors(compounds_BN)
        decoded = self.decoder.finish(nodes, compounds_BND, mask_BN, condition_BD)
        ways_BNN = None
        if not self.own.directed:
            ways_BNN = assembly.drawn_ways(draws, N, self.corpus.both_ways)
        adjacency_BNN = assembly.likely_edges(
            decoded.edges_BNN, pairs_of(mask_BN), self.own.connected, ways_BNN
        )
        reversible_BNN = torch.zeros_like(adjacency_BNN)
        reactions_BNN = torch.zeros_like(adjacency_BNN, dtype=torch.int64)
        if self.own.weights.types:  # nor kinds, if it has not learnt them
            kinds = self.decoder.kinds(decoded, adjacency_BNN)
            reversible_BNN[kinds.place] = kinds.reversible_P > 0
            reactions_BNN[kinds.place] = kinds.reactions_PR[:, 1:].argmax(-1) + 1
        return Generated(compounds_BN, adjacency_BNN, reversible_BNN, reactions_BNN)

    @torch.no_grad()
    def sizes(
        self, environment_G4: NDArray[np.floating], known_G4: NDArray[np.bool_], seed: int
    ) -> NDArray[np.int64]:
        """Return the slots that there are, by the latents of the graphs that `sample` draws."""
        if not self.own.weights.existence:
            raise ConfigError(
                "settings.sizes model: needs settings.model.weights.existence above 0"
            )
        device = next(self.parameters()).device
        known = torch.from_numpy(np.asarray(known_G4)).to(device)
        asked = torch.from_numpy(np.asarray(environment_G4, np.float32)).to(device) * known
        draws = Draws(seed, 0, torch.arange(len(known), device=device))
        condition_GD = self.decoder.condition(asked, known)
        graph_GL = self._graph_from_prior(draws, condition_GD)
        there_GM = self.decoder.existence(graph_GL, condition_GD).sigmoid()
        sizes_G = (there_GM > draws.uniform("existence", 1)).sum(1)
        return sizes_G.clamp(min=FEWEST_NODES).cpu().numpy()

    def _decode(
        self,
        nodes_BNL: Tensor | None,
        graph_BL: Tensor,
        batch: PathwayBatch,
        condition_BD: Tensor,
    ) -> Decoded:
        """Return what latents stand for, edges given the compounds of the batch."""
        nodes = self.decoder.begin(nodes_BNL, graph_BL, batch.mask_BN, condition_BD)
        compounds_BND = self.decoder.key(batch.features_BNF, batch.classes_BN)
        return self.decoder.finish(nodes, compounds_BND, batch.mask_BN, condition_BD)

    def _compound_vectors(self, compounds_BN: Tensor) -> Tensor:
        """Return (B, N, D), as a batch of these compounds would have them."""
        named_BN, device = compounds_BN != UNKNOWN, compounds_BN.device
        features_BNF = self.corpus.features_VF.to(device)[compounds_BN] * named_BN.unsqueeze(-1)
        return self.decoder.key(
            features_BNF, self.corpus.classes_V.to(device)[compounds_BN] * named_BN
        )

    def _matched(self, decoded: Decoded, batch: PathwayBatch) -> PathwayBatch:
        """Return the real graphs, their nodes numbered as the decoded ones that they are like."""
        return batch.renumbered(matching.rounded(matching.plan(decoded, batch)))

    def _view(self, batch: PathwayBatch, draws: Draws, name: str) -> PathwayBatch:
        if not self.own.hidden:
            return batch
        return batch.without(drawn_pairs(batch, draws, name) < self.own.hidden)

    def _graph_from_prior(self, draws: Draws, condition_BD: Tensor) -> Tensor:
        noise_BL = draws.normal("graph", self.own.latents.local + self.own.latents.globally)
        return noise_BL if self.prior is None else self.prior(noise_BL, condition_BD)

    def _divergence(
        self, posterior: Posterior, graph_BL: Tensor, condition_BD: Tensor, mask_BN: Tensor
    ) -> Tensor:
        """Of the graphs' latents, in closed form, or by the one draw where the prior is a flow."""
        divergence_BL = posterior.graph.kl()
        if self.prior is not None:
            ours_B = posterior.graph.log_density(graph_BL)
            theirs_B = self.prior.log_density(graph_BL, condition_BD)
            mean_B1 = ((ours_B - theirs_B) / graph_BL.shape[1]).unsqueeze(1)
            divergence_BL = mean_B1.expand_as(graph_BL)
        free = self.own.kullback.free_bits
        drawn = self.prior is not None
        return objective.divergence(posterior.nodes, mask_BN, divergence_BL, free, drawn)

    def _compounds(self, decoded: Decoded, batch: PathwayBatch, draws: Draws) -> Tensor:
        device = batch.mask_BN.device
        # One draw for the whole step, whoever computes which part of it.
        whole = Draws(draws.seed, draws.step, torch.zeros(1, dtype=torch.int64, device=device))
        used_U = self.used_U.to(device)
        chosen_S = whole.bits("candidates", objective.CANDIDATES)[0] % len(used_U)
        candidates_S = used_U[chosen_S]
        keys_SD, common_S = self._keys(candidates_S)
        queries_BND = decoded.nodes.queries_BND
        others_BNS = queries_BND @ keys_SD.T + common_S
        keys_BND, common_BN = self._keys(batch.compounds_BN)
        own_BN = (queries_BND * keys_BND).sum(-1) + common_BN
        return objective.compounds(own_BN, others_BNS, batch.compounds_BN, candidates_S)

    def _contrast(self, batch: PathwayBatch, posterior: Posterior, draws: Draws) -> Tensor:
        other = self.encoder(self._view(batch, draws, "hidden from the other view"))
        project = cast(nn.Module, self.projection)
        views = project(posterior.states_BND), project(other.states_BND)
        return objective.contrast(*views, batch.mask_BN)

    def _adversarial(
        self, seen: PathwayBatch, batch: PathwayBatch, draws: Draws, condition_BD: Tensor
    ) -> Tensor:
        """Return the loss of edges after one step up its gradient, by the compounds' vectors.

        Miyato, Dai, Goodfellow, "Adversarial training methods for semi-supervised text
        classification", ICLR 2017, section 3: embeddings are moved, by a fixed length a graph.
        """
        own, device = self.own, batch.mask_BN.device
        with torch.enable_grad():  # in evaluation, too: what is reported is the same
            start_BND = torch.zeros(*batch.mask_BN.shape, own.width, device=device)
            start_BND.requires_grad_()
            # A copy: who counts FLOPs watches what modules are given, and can watch no leaf here.
            loss = self._edges_at(start_BND.clone(), seen, batch, draws, condition_BD.detach())
            (slope_BND,) = torch.autograd.grad(loss, start_BND)
        slope_BND = slope_BND * batch.mask_BN.unsqueeze(-1)
        length_B11 = slope_BND.flatten(1).norm(dim=1)[:, None, None].clamp(min=1e-20)
        # As long for a graph of many nodes as for one of few, a node.
        reach_B11 = own.perturbation * (own.width * batch.mask_BN.sum(1)[:, None, None]).sqrt()
        shift_BND = slope_BND / length_B11 * reach_B11
        return self._edges_at(shift_BND, seen, batch, draws, condition_BD)

    def _edges_at(
        self,
        shift_BND: Tensor,
        seen: PathwayBatch,
        batch: PathwayBatch,
        draws: Draws,
        condition_BD: Tensor,
    ) -> Tensor:
        """Return the loss of edges where compounds' vectors are shifted."""
        nodes_BNL, graph_BL = drawn(self.encoder(seen, shift_BND), draws)
        decoded = self._decode(nodes_BNL, graph_BL, batch, condition_BD)
        if nodes_BNL is None:
            batch = self._matched(decoded, batch)
        return objective.edges(decoded, batch, self.edge_weight)

    def _elements(self, decoded: Decoded, batch: PathwayBatch) -> Tensor:
        atoms_BNZ = self.corpus.atoms_VZ.to(batch.mask_BN.device)[batch.compounds_BN]
        known_BN = self.corpus.atoms_known_V.to(batch.mask_BN.device)[batch.compounds_BN]
        known_BN = known_BN & (batch.compounds_BN != UNKNOWN)
        decoded_BNZ = cast(Tensor, decoded.nodes.atoms_BNZ)
        return objective.elements(decoded_BNZ, decoded.edges_BNN, batch, atoms_BNZ, known_BN)

    def _keys(self, compounds: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys (…, D) and how common they are (…) of compounds (…)."""
        tables = (self.corpus.features_VF, self.corpus.classes_V, self.corpus.counts_V)
        return self.decoder.keys(*(table.to(compounds.device)[compounds] for table in tables))

    def _logits(self, nodes: Nodes) -> Tensor:
        """Return (B, N, V): log odds of compounds; -inf of those that training does not name."""
        used_U = self.used_U.to(nodes.queries_BND.device)
        keys_UD, common_U = self._keys(used_U)
        logits_BNU = nodes.queries_BND @ keys_UD.T + common_U
        shape = (*logits_BNU.shape[:2], len(self.corpus.names))
        return logits_BNU.new_full(shape, -torch.inf).index_copy(2, used_U, logits_BNU)

    def _warmth(self, step: int | None) -> float:
        warmup = self.own.kullback.warmup_steps
        return 1.0 if step is None or step >= warmup else step / warmup


def drawn(posterior: Posterior, draws: Draws) -> tuple[Tensor | None, Tensor]:
    """Return a draw of the latents of nodes (B, N, L), if they have any, and of graphs (B, L)."""
    graph = posterior.graph
    graph_BL = graph.at(draws.normal("graph", graph.mean.shape[1]))
    if posterior.nodes is None:
        return None, graph_BL
    noise_BNL = draws.normal("nodes", *posterior.nodes.mean.shape[1:])
    return posterior.nodes.at(noise_BNL), graph_BL
