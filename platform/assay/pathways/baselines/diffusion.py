"""Discrete diffusion of directed graphs, as DiGress: Vignac et al., ICLR 2023.

Nodes are compounds; an ordered pair has no edge, an irreversible or a reversible one, whatever its
reverse has. Noise replaces both by draws from their marginals (`noise`), a graph Transformer says
what they were. The extra features are the ones that cost no spectrum: degrees and closed walks.

DiGress is undirected, and has classes of atoms where this has the names of thousands of compounds:
to draw x₀ of a node and then what it was a step earlier is the same as to sum over all it may have
been. Its 500 steps are 50 here.

Shapes: B graphs, N nodes (padded), M nodes that there are, D width, C features of a pair, U
compounds, S = 3 states of an ordered pair, R classes of reactions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import torch
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, silu

from assay.config import Size, SizedSettings
from assay.pathways.attention import Block
from assay.pathways.baselines import heads
from assay.pathways.baselines.noise import Schedule, chosen, earlier, noisy, of_pairs
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import NodeFeatures
from assay.pathways.graphs import REACTION_CLASSES, UNKNOWN
from assay.pathways.means import mean
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel
from assay.training.draws import Draws

STATES = 3
"""Of an ordered pair: no edge, an irreversible one, a reversible one."""
WALKS = 4
"""Lengths of closed walks, from 2 on."""
SCORED_AT = 0.8
"""ᾱ of the time at which given graphs are scored: one fifth of a graph's edges is hidden then."""


class DiffusionSettings(SizedSettings, ModelSettings):
    """Of the noise and of the network."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 2, "heads": 2, "pairs": 16},
        "s": {"width": 64, "depth": 3, "heads": 4, "pairs": 32},
        "m": {"width": 128, "depth": 4, "heads": 4, "pairs": 64},
        "l": {"width": 256, "depth": 6, "heads": 8, "pairs": 64},
    }
    width: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    pairs: PositiveInt
    """Width of a pair."""
    steps: PositiveInt = 50
    """Of noise."""
    connected: bool = True
    """Whether pieces of a generated graph are joined by the most likely edges."""

    @property
    def passes_a_sample(self) -> int:
        """Return the steps."""
        return self.steps

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


@dataclass(frozen=True)
class Denoised:
    """What the network says that a noisy graph was."""

    states_BND: Tensor
    """What nodes' compounds are read from."""
    edges_BNNS: Tensor
    """Logits of the states of pairs."""
    reactions_BNNR: Tensor
    """Logits of edges' reaction classes."""


class Denoiser(nn.Module):
    """A graph Transformer that updates nodes and pairs."""

    def __init__(self, own: DiffusionSettings, marginal_S: Tensor) -> None:
        super().__init__()
        width, C = own.width, own.pairs
        self.nodes, self.structure = NodeFeatures(width), nn.Linear(2 + WALKS, width)
        self.time = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
        self.told, self.pair = heads.Told(width), nn.Embedding(STATES**2, C)
        self.blocks = nn.ModuleList(Block(width, own.heads, C, width) for _ in range(own.depth))
        self.updates = nn.ModuleList(heads.PairHead(width, C) for _ in range(own.depth))
        self.norms = nn.ModuleList(nn.LayerNorm(C) for _ in range(own.depth))
        self.edges = nn.Sequential(nn.Linear(C, C), nn.SiLU(), nn.Linear(C, STATES))
        last = cast(nn.Linear, self.edges[-1])
        with torch.no_grad():  # training begins at the density of the data: nothing is unlearnt
            last.bias.copy_(marginal_S.clamp(min=1e-4).log())
        self.norm = nn.LayerNorm(width)
        self.reactions = heads.PairHead(width, len(REACTION_CLASSES))

    def forward(
        self,
        nodes: tuple[Tensor, Tensor],
        states_BNN: Tensor,
        mask_BN: Tensor,
        environment: tuple[Tensor, Tensor],
        time_B2: Tensor,
    ) -> Denoised:
        """Return what a noisy graph was.

        Args:
            nodes: Features (B, N, F) and classes (B, N) of the compounds.
            states_BNN: Of the pairs.
            mask_BN: Nodes that there are.
            environment: Normalised (B, 4), and what of it is known.
            time_B2: t / T and ᾱ(t).
        """
        condition_BD = self.told(*environment, mask_BN) + self.time(time_B2)
        x_BND = self.nodes(*nodes) + self.structure(structure(states_BNN > 0))
        pairs_BNNC = self.pair(states_BNN * STATES + states_BNN.mT)
        for block, update, norm in zip(self.blocks, self.updates, self.norms, strict=True):
            x_BND = block(x_BND, mask_BN, norm(pairs_BNNC), condition_BD)
            pairs_BNNC = pairs_BNNC + silu(update(x_BND))
        x_BND = self.norm(x_BND)
        return Denoised(x_BND, self.edges(pairs_BNNC), self.reactions(x_BND))


class Diffusion(PathwayModel):
    """Noise, and a network that takes it off."""

    Settings = DiffusionSettings
    marginal_S: Tensor
    marginal_U: Tensor

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build the network, and keep the marginals of the training graphs."""
        super().__init__(settings, corpus)
        own = self.own = cast(DiffusionSettings, settings)
        self.schedule = Schedule(own.steps)
        edge, way = corpus.density, corpus.reversible
        marginal_S = torch.tensor([1 - edge, edge * (1 - way), edge * way])
        self.denoiser = Denoiser(own, marginal_S)
        self.compounds = heads.Compounds(own.width, corpus)
        counts_U = corpus.counts_V[self.compounds.used_U]
        self.register_buffer("marginal_S", marginal_S, persistent=False)
        self.register_buffer("marginal_U", counts_U / counts_U.sum(), persistent=False)

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return the cross-entropies of what was, given what noise of a random time has left."""
        N = batch.mask_BN.shape[1]
        t_B = (draws.uniform("time") * self.own.steps).floor() + 1
        kept_B11 = self.schedule.kept(t_B)[:, None, None]
        fresh_BN = self._fresh_compounds(draws, "fresh", N)
        kept_BN = draws.uniform("kept compounds", N)
        compounds_BN = noisy(batch.compounds_BN, fresh_BN, kept_BN, kept_B11[..., 0])
        clean_BNN = states_of(batch)
        fresh_BNN = self._fresh_states(draws, "fresh pairs", N)
        kept_BNN = of_pairs(draws, "kept pairs", N)
        states_BNN = noisy(clean_BNN, fresh_BNN, kept_BNN, kept_B11) * batch.pairs_BNN
        environment = batch.environment_B4, batch.known_B4
        told = self._denoised(compounds_BN, states_BNN, batch.mask_BN, environment, t_B)
        losses_BNN = cross_entropy(told.edges_BNNS.permute(0, 3, 1, 2), clean_BNN, reduction="none")
        found = {
            "edges": mean(losses_BNN, batch.pairs_BNN),
            "compounds": self.compounds.loss(told.states_BND, batch, draws),
            "types": heads.reaction_loss(told.reactions_BNNR, batch),
        }
        return Outcome(heads.weighted(found, heads.WEIGHTS), found, None)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds of an edge, the graph taken for one that noise has left so."""
        t_B = self._time(batch.mask_BN, self.schedule.time_of(SCORED_AT))
        environment, states_BNN = (batch.environment_B4, batch.known_B4), states_of(batch)
        told = self._denoised(batch.compounds_BN, states_BNN, batch.mask_BN, environment, t_B)
        return log_odds(told.edges_BNNS)

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return graphs, from nothing but noise, step by step."""
        N, environment = mask_BN.shape[1], (environment_B4, known_B4)
        pairs_BNN = heads.inside(mask_BN)
        compounds_BN = self._fresh_compounds(draws, "start", N).masked_fill(~mask_BN, UNKNOWN)
        states_BNN = self._fresh_states(draws, "start pairs", N) * pairs_BNN
        for t in range(self.own.steps, 1, -1):
            told = self._denoised(
                compounds_BN, states_BNN, mask_BN, environment, self._time(mask_BN, t)
            )
            compounds_BN = self._earlier_compounds(told, compounds_BN, mask_BN, t, draws)
            states_BNN = self._earlier_states(told, states_BNN, t, draws) * pairs_BNN
        told = self._denoised(
            compounds_BN, states_BNN, mask_BN, environment, self._time(mask_BN, 1)
        )
        states_BNN = clean_states(told, draws, 1) * pairs_BNN
        adjacency_BNN = states_BNN > 0
        if self.own.connected:
            adjacency_BNN = heads.joined(adjacency_BNN, log_odds(told.edges_BNNS), pairs_BNN)
        likely_BNN = told.edges_BNNS[..., 2] > told.edges_BNNS[..., 1]
        return Generated(
            compounds_BN=self.compounds.drawn(told.states_BND, mask_BN, draws),
            adjacency_BNN=adjacency_BNN,
            # An edge that joins two pieces was not drawn: it is what it most likely is.
            reversible_BNN=torch.where(states_BNN > 0, states_BNN == 2, likely_BNN),
            reactions_BNN=heads.likely_reactions(told.reactions_BNNR),
        )

    def _denoised(
        self,
        compounds_BN: Tensor,
        states_BNN: Tensor,
        mask_BN: Tensor,
        environment: tuple[Tensor, Tensor],
        t_B: Tensor,
    ) -> Denoised:
        nodes = heads.looked_up(self.corpus, compounds_BN)
        time_B2 = torch.stack([t_B / self.own.steps, self.schedule.kept(t_B)], -1)
        return self.denoiser(nodes, states_BNN, mask_BN, environment, time_B2)

    def _earlier_compounds(
        self, told: Denoised, compounds_BN: Tensor, mask_BN: Tensor, t: int, draws: Draws
    ) -> Tensor:
        """Return the compounds at time t − 1; those of padding are UNKNOWN still."""
        N = mask_BN.shape[1]
        odds_MU = self.compounds.logits(told.states_BND[mask_BN]).softmax(-1)
        clean_M = chosen(odds_MU, draws.uniform(f"clean compounds {t}", N)[mask_BN])
        counts_M = self.corpus.counts_V.to(mask_BN.device)[compounds_BN[mask_BN]]
        found = compounds_BN.clone()
        found[mask_BN] = earlier(
            compounds_BN[mask_BN],
            self.compounds.used_U[clean_M],
            self._fresh_compounds(draws, f"fresh compounds {t}", N)[mask_BN],
            draws.uniform(f"earlier compounds {t}", N)[mask_BN],
            counts_M / self.corpus.counts_V.sum(),
            self._kept(t),
        )
        return found

    def _earlier_states(self, told: Denoised, states_BNN: Tensor, t: int, draws: Draws) -> Tensor:
        """Return the states of pairs at time t − 1."""
        N = states_BNN.shape[1]
        return earlier(
            states_BNN,
            clean_states(told, draws, t),
            self._fresh_states(draws, f"fresh pairs {t}", N),
            of_pairs(draws, f"earlier pairs {t}", N),
            self.marginal_S[states_BNN],
            self._kept(t),
        )

    def _time(self, mask_BN: Tensor, t: int) -> Tensor:
        return torch.full((len(mask_BN),), float(t), device=mask_BN.device)

    def _kept(self, t: int) -> tuple[float, float]:
        """Return ᾱ(t − 1) and ᾱ(t)."""
        before, now = self.schedule.kept(torch.tensor([t - 1.0, t])).tolist()
        return before, now

    def _fresh_compounds(self, draws: Draws, name: str, N: int) -> Tensor:
        return self.compounds.used_U[chosen(self.marginal_U, draws.uniform(name, N))]

    def _fresh_states(self, draws: Draws, name: str, N: int) -> Tensor:
        return chosen(self.marginal_S, of_pairs(draws, name, N))


def states_of(batch: PathwayBatch) -> Tensor:
    """Return int64 (B, N, N): the states of ordered pairs."""
    return batch.adjacency_BNN.long() + batch.reversible_BNN.long()


def clean_states(told: Denoised, draws: Draws, t: int) -> Tensor:
    """Return int64 (B, N, N): a draw of what pairs were, by what is said of them at time t."""
    unit_BNN = of_pairs(draws, f"clean pairs {t}", told.edges_BNNS.shape[1])
    return chosen(told.edges_BNNS.softmax(-1), unit_BNN)


def log_odds(logits_BNNS: Tensor) -> Tensor:
    """Return (B, N, N): of an edge of any kind against none."""
    return logits_BNNS[..., 1:].logsumexp(-1) - logits_BNNS[..., 0]


def structure(adjacency_BNN: Tensor) -> Tensor:
    """Return (B, N, 2 + WALKS): log(1 + ·) of degrees in and out, and of closed walks by length."""
    A_BNN = adjacency_BNN.float()
    power_BNN, found = A_BNN, [A_BNN.sum(1), A_BNN.sum(2)]
    for _ in range(WALKS):
        power_BNN = power_BNN @ A_BNN
        found.append(power_BNN.diagonal(dim1=1, dim2=2))
    return torch.stack(found, -1).log1p()
