"""An autoregressive model of directed graphs, as GraphRNN: You et al., ICML 2018.

Nodes come one after another, breadth first from a pathway's entry. A first recurrent network tells
what the graph is so far; it names the next node's compound, and begins a second one, which goes
through the nodes before it and says of each which edges join the two: none, one to it, one from it,
or both. So every edge depends on every edge before it, and directions are states of their own;
GraphRNN is the undirected case, with nodes that have no names.

The score of a pair is that of its later node's row, which sees the rows before and the pairs before
in its own: what comes after, and the pair itself, is never in sight.

Shapes: B graphs, N nodes (padded), D width, E width of edges, U compounds, S = 4 states of a pair.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.config import Size, SizedSettings
from assay.pathways.baselines import heads
from assay.pathways.baselines.ordering import breadth_first
from assay.pathways.batches import PathwayBatch
from assay.pathways.corpus import Corpus
from assay.pathways.encoder import NodeFeatures
from assay.pathways.graphs import REACTION_CLASSES
from assay.pathways.means import mean
from assay.pathways.model import Generated, ModelSettings, Outcome, PathwayModel
from assay.training.draws import Draws

STATES = 4
"""Of a later node and an earlier one: 1 for an edge to the earlier, and 2 for one from it."""
BEGIN = STATES
"""What comes before the first pair of a row."""


class AutoregressiveSettings(SizedSettings, ModelSettings):
    """Of the two networks."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "edge_width": 16},
        "s": {"width": 64, "edge_width": 32},
        "m": {"width": 128, "edge_width": 64},
        "l": {"width": 256, "edge_width": 128},
    }
    width: PositiveInt
    """Of the network of nodes."""
    edge_width: PositiveInt
    """Of the network of edges."""
    connected: bool = True
    """Whether pieces of a generated graph are joined by the most likely edges."""


class Autoregressive(PathwayModel):
    """Two recurrent networks."""

    Settings = AutoregressiveSettings

    def __init__(self, settings: ModelSettings, corpus: Corpus) -> None:
        """Build them."""
        super().__init__(settings, corpus)
        own = self.own = cast(AutoregressiveSettings, settings)
        width, E = own.width, own.edge_width
        self.told, self.compounds = heads.Told(width), heads.Compounds(width, corpus)
        self.nodes = NodeFeatures(width)
        self.takes, self.gives = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.start = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.rows = nn.GRU(width, width, batch_first=True)
        self.opens = nn.Sequential(nn.Linear(2 * width, E), nn.Tanh())
        self.earlier, self.previous = nn.Linear(width, E), nn.Embedding(STATES + 1, E)
        self.pairs = nn.GRU(E, E, batch_first=True)
        self.state = nn.Linear(E, STATES)
        with torch.no_grad():  # training begins at the density of the data: nothing is unlearnt
            one, none = corpus.density, 1 - corpus.density
            odds = torch.tensor([none * none, one * none, none * one, one * one])
            self.state.bias.copy_(odds.log())
        self.kinds = heads.PairHead(width, 1 + len(REACTION_CLASSES))

    def forward(self, batch: PathwayBatch, draws: Draws, step: int | None) -> Outcome:
        """Return minus the log-likelihoods of pairs' states, of compounds, and of kinds."""
        batch = batch.renumbered(breadth_first(batch))
        before_BND, after_BND, logits_BNNS = self._foretold(batch)
        losses_BNN = cross_entropy(
            logits_BNNS.permute(0, 3, 1, 2), states_of(batch.adjacency_BNN), reduction="none"
        )
        reversible_BNN, *reactions = self.kinds(after_BND).unbind(-1)
        found = {
            "edges": mean(losses_BNN, batch.pairs_BNN.tril()),
            "compounds": self.compounds.loss(before_BND, batch, draws),
            "types": heads.reversible_loss(reversible_BNN, batch)
            + heads.reaction_loss(torch.stack(reactions, -1), batch),
        }
        return Outcome(heads.weighted(found, heads.WEIGHTS), found, None)

    def edge_logits(self, batch: PathwayBatch) -> Tensor:
        """Return the log odds of either edge of a pair, given the rows and pairs before it."""
        order_BN = breadth_first(batch)
        _, _, logits_BNNS = self._foretold(batch.renumbered(order_BN))
        return heads.numbered_back(log_odds(logits_BNNS), order_BN)

    def generate(
        self, mask_BN: Tensor, environment_B4: Tensor, known_B4: Tensor, draws: Draws
    ) -> Generated:
        """Return graphs, drawn node after node and pair after pair."""
        B, N = mask_BN.shape
        told_BD = self.told(environment_B4, known_B4, mask_BN)
        state_BD, device = self.start(told_BD), mask_BN.device
        free_BU = torch.ones(B, len(self.compounds.used_U), dtype=torch.bool, device=device)
        adjacency_BNN = torch.zeros(B, N, N, dtype=torch.bool, device=device)
        logits_BNNS = torch.zeros(B, N, N, STATES, device=device)
        compounds_BN = torch.zeros(B, N, dtype=torch.int64, device=device)
        x_BND = told_BD.new_zeros(B, N, self.own.width)
        after_BND = torch.zeros_like(x_BND)
        for n in range(N):
            chosen_B = self._compound(state_BD, free_BU, draws, n)
            free_BU[torch.arange(B, device=device), chosen_B] = False
            compounds_BN[:, n] = self.compounds.used_U[chosen_B]
            features_BF, classes_B = heads.looked_up(self.corpus, compounds_BN[:, n])
            x_BND[:, n] = self.nodes(features_BF, classes_B)
            row = self._drawn_row(state_BD, x_BND[:, n], after_BND[:, :n], draws)
            states_Bn, logits_BNNS[:, n, :n] = row
            adjacency_BNN[:, n, :n] = (states_Bn & 1) > 0
            adjacency_BNN[:, :n, n] = (states_Bn & 2) > 0
            heard_BND = self._heard(x_BND, adjacency_BNN)[:, n : n + 1]
            input_B1D = x_BND[:, n : n + 1] + heard_BND + told_BD.unsqueeze(1)
            state_BD = self.rows(input_B1D, state_BD.unsqueeze(0))[0][:, 0]
            after_BND[:, n] = state_BD
        pairs_BNN = heads.inside(mask_BN)
        adjacency_BNN &= pairs_BNN
        if self.own.connected:
            adjacency_BNN = heads.joined(adjacency_BNN, log_odds(logits_BNNS), pairs_BNN)
        reversible_BNN, *reactions = self.kinds(after_BND).unbind(-1)
        return Generated(
            compounds_BN=compounds_BN,
            adjacency_BNN=adjacency_BNN,
            reversible_BNN=reversible_BNN > 0,
            reactions_BNN=heads.likely_reactions(torch.stack(reactions, -1)),
        )

    def _foretold(self, batch: PathwayBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the states before (B, N, D) and after each node, and logits (B, N, N, S).

        The last are of pairs of a later node, the row, and an earlier one, the column; what is
        not below the diagonal is not to be read.
        """
        B, N = batch.mask_BN.shape
        told_BD = self.told(batch.environment_B4, batch.known_B4, batch.mask_BN)
        first_BD = self.start(told_BD)
        x_BND = self.nodes(batch.features_BNF, batch.classes_BN)
        heard_BND = self._heard(x_BND, batch.adjacency_BNN)
        after_BND = self.rows(x_BND + heard_BND + told_BD.unsqueeze(1), first_BD.unsqueeze(0))[0]
        before_BND = torch.cat([first_BD.unsqueeze(1), after_BND[:, :-1]], 1)
        opened_BNE = self.opens(torch.cat([before_BND, x_BND], -1))
        begin_BN1 = torch.full((B, N, 1), BEGIN, device=x_BND.device)
        previous_BNN = torch.cat([begin_BN1, states_of(batch.adjacency_BNN)[:, :, :-1]], 2)
        input_BNNE = self.earlier(after_BND).unsqueeze(1) + self.previous(previous_BNN)
        found = self.pairs(input_BNNE.flatten(0, 1), opened_BNE.flatten(0, 1).unsqueeze(0))[0]
        return before_BND, after_BND, self.state(found).view(B, N, N, STATES)

    def _heard(self, x_BND: Tensor, adjacency_BNN: Tensor) -> Tensor:
        """Return (B, N, D): what a node hears of the earlier nodes that it is joined to."""
        A_BNN = adjacency_BNN.float()
        from_BND, to_BND = A_BNN.mT.tril() @ x_BND, A_BNN.tril() @ x_BND
        return self.takes(from_BND) + self.gives(to_BND)

    def _compound(self, state_BD: Tensor, free_BU: Tensor, draws: Draws, n: int) -> Tensor:
        """Return int64 (B,): a compound that is not in the graph, by its place in `used_U`."""
        logits_BU = self.compounds.logits(state_BD).masked_fill(~free_BU, -torch.inf)
        return draws.categorical(f"compound {n}", logits_BU.softmax(-1))

    def _drawn_row(
        self, state_BD: Tensor, x_BD: Tensor, after_BnD: Tensor, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        """Return states (B, n) of the pairs with the n nodes before, and logits (B, n, S)."""
        B, n, _ = after_BnD.shape
        hidden_1BE = self.opens(torch.cat([state_BD, x_BD], -1)).unsqueeze(0)
        previous_B = torch.full((B,), BEGIN, device=x_BD.device)
        earlier_BnE = self.earlier(after_BnD)
        states_Bn = torch.zeros(B, n, dtype=torch.int64, device=x_BD.device)
        logits_BnS = x_BD.new_zeros(B, n, STATES)
        for j in range(n):
            input_B1E = (earlier_BnE[:, j] + self.previous(previous_B)).unsqueeze(1)
            found_B1E, hidden_1BE = self.pairs(input_B1E, hidden_1BE)
            logits_BnS[:, j] = self.state(found_B1E[:, 0])
            previous_B = draws.categorical(f"pair {n} {j}", logits_BnS[:, j].softmax(-1))
            states_Bn[:, j] = previous_B
        return states_Bn, logits_BnS


def states_of(adjacency_BNN: Tensor) -> Tensor:
    """Return int64 (B, N, N): the state of a later node, the row, and an earlier one."""
    return adjacency_BNN.long() + 2 * adjacency_BNN.mT.long()


def log_odds(logits_BNNS: Tensor) -> Tensor:
    """Return (B, N, N): of an edge from the row to the column, by the logits of pairs' states."""
    none, towards, away, both = logits_BNNS.unbind(-1)
    towards_BNN = torch.logaddexp(towards, both) - torch.logaddexp(none, away)
    away_BNN = torch.logaddexp(away, both) - torch.logaddexp(none, towards)
    return towards_BNN.tril(-1) + away_BNN.tril(-1).mT
