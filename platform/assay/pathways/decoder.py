"""The decoder of the Graph VAE: from latents, in an environment, to all of a graph at once.

All nodes first, then all edges given the compounds that the nodes are, p(X | z) p(A | X, z): edges
between compounds that were drawn apart would join what no reaction turns into each other.

An edge u → v is scored by what u gives and what v takes, which are different functions of a node:
the score of v → u is another number. An inner product of the nodes' latents could not tell the two
apart.

Shapes: B graphs, N nodes (padded), D width, L latent entries, V compounds, M slots for nodes, R
classes of reactions, K classes of compounds.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from assay.pathways.attention import Block
from assay.pathways.batches import pairs_of
from assay.pathways.compounds import CLASSES
from assay.pathways.conditions import EnvironmentVector, Way
from assay.pathways.corpus import Corpus
from assay.pathways.data.checks import MOST_NODES
from assay.pathways.encoder import NodeFeatures
from assay.pathways.graphs import REACTION_CLASSES
from assay.pathways.metrics.atoms import HEAVY
from assay.pathways.modules import DecodedModules, ModuleDecoder

PAIR_WIDTH = 32
"""Of the hidden layer that a pair is seen through."""
PLACE = 16
"""Width of what tells nodes apart that have no latents."""


@dataclass(frozen=True)
class DecoderShape:
    """What a decoder is built of."""

    width: int
    depth: int
    heads: int
    nodes: int
    """Width of the latents of nodes; 0 where they have none."""
    graph: int
    """Width of the latents of graphs."""
    directed: bool
    uncertain: bool
    rounds: int
    """Of refinement."""
    named: bool
    """Edges are decoded given compounds."""
    slots: bool
    modules: bool
    atoms: bool


@dataclass(frozen=True)
class Nodes:
    """What nodes may be, before edges are decoded."""

    states_BND: Tensor
    classes_BNK: Tensor
    """Logits of a node's class."""
    queries_BND: Tensor
    """What a node asks of its compound: logits are products with `Decoder.keys`."""
    atoms_BNZ: Tensor | None
    """log(1 + heavy atoms) of a node's compound; None where the decoder does not say."""
    modules: DecodedModules | None
    """None where modules are not decoded."""


@dataclass(frozen=True)
class Decoded:
    """Everything that a graph may be, as log odds and logits."""

    nodes: Nodes
    edges_BNN: Tensor
    """Calibrated log odds of an edge from the row to the column."""
    reversible_BNN: Tensor
    """Log odds that the edge, if there is one, is reversible."""
    reactions_BNNR: Tensor
    """Logits of its reaction's class."""
    earlier: tuple[Tensor, ...] = ()
    """(B, N, N) each: the edges before each round of refinement."""


class NodeHeads(nn.Module):
    """What nodes are, by their states."""

    def __init__(self, width: int, atoms: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.classes = nn.Linear(width, len(CLASSES))
        self.query = nn.Linear(width, width)
        self.atoms = nn.Linear(width, len(HEAVY)) if atoms else None

    def forward(self, x_BND: Tensor, modules: DecodedModules | None) -> Nodes:
        """Return what nodes in these states are."""
        y_BND = self.norm(x_BND)
        atoms_BNZ = None if self.atoms is None else self.atoms(y_BND)
        return Nodes(x_BND, self.classes(y_BND), self.query(y_BND), atoms_BNZ, modules)


class PairHeads(nn.Module):
    """What pairs are, by the states of their nodes."""

    def __init__(self, shape: DecoderShape, corpus: Corpus) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.norm = nn.LayerNorm(width)
        self.gives, self.takes = nn.Linear(width, width), nn.Linear(width, width)
        self.source, self.target = nn.Linear(width, PAIR_WIDTH), nn.Linear(width, PAIR_WIDTH)
        self.pair = nn.Linear(PAIR_WIDTH, 3 + len(REACTION_CLASSES))
        # Training begins at the density of the data: nothing has to be unlearnt.
        self.density = nn.Parameter(torch.tensor(_log_odds(corpus.density)))

    def forward(self, x_BND: Tensor, nodes: Nodes) -> Decoded:
        """Return what pairs of nodes in these states are."""
        x_BND, scale = self.norm(x_BND), x_BND.shape[-1] ** -0.5
        mean_BNN = torch.einsum("bud,bvd->buv", self.gives(x_BND), self.takes(x_BND)) * scale
        hidden = nn.functional.silu(
            self.source(x_BND).unsqueeze(2) + self.target(x_BND).unsqueeze(1)
        )
        more, spread, reversible, *_ = (found := self.pair(hidden)).unbind(-1)
        mean_BNN = mean_BNN + more + self.density
        if nodes.modules is not None:
            mean_BNN = mean_BNN + nodes.modules.edges_BNN
        if not self.shape.directed:
            mean_BNN, spread = (mean_BNN + mean_BNN.mT) / 2, (spread + spread.mT) / 2
        if self.shape.uncertain:
            mean_BNN = expected_log_odds(mean_BNN, nn.functional.softplus(spread))
        return Decoded(nodes, mean_BNN, reversible, found[..., 3:])


class Refinement(nn.Module):
    """A round of messages along the edges as they are decoded, each as far as it is likely.

    As Graphite refines what it decodes (Grover, Zweig, Ermon, ICML 2019), with directions apart.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.given, self.taken = nn.Linear(width, width), nn.Linear(width, width)
        self.mix = nn.Sequential(
            nn.Linear(3 * width + 2 + len(CLASSES), width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, x_BND: Tensor, decoded: Decoded, pairs_BNN: Tensor) -> Tensor:
        """Return new states (B, N, D)."""
        chance_BNN = decoded.edges_BNN.sigmoid() * pairs_BNN
        y_BND = self.norm(x_BND)
        told = [
            y_BND,
            chance_BNN.mT @ self.given(y_BND),
            chance_BNN @ self.taken(y_BND),
            torch.stack([chance_BNN.sum(1), chance_BNN.sum(2)], -1),
            decoded.nodes.classes_BNK.softmax(-1),
        ]
        return x_BND + self.mix(torch.cat(told, -1))


class Decoder(nn.Module):
    """Blocks of attention among nodes that start as latents, and what nodes and pairs then are."""

    def __init__(self, shape: DecoderShape, environment: Way, corpus: Corpus) -> None:
        super().__init__()
        self.shape, self.environment, width = shape, environment, shape.width
        self.vector = EnvironmentVector(width) if environment != "none" else None
        joins = width if environment in ("concatenation", "both") else 0
        condition = width if environment in ("film", "both") else None
        # Without latents of their own, nodes are told apart by places, which mean nothing else.
        nodes = shape.nodes or PLACE
        self.places = None if shape.nodes else nn.Parameter(torch.randn(MOST_NODES, PLACE))
        self.composition = ModuleDecoder(nodes, shape.graph, width) if shape.modules else None
        self.start = nn.Linear(nodes + shape.graph + 1 + joins, width)
        self.blocks = nn.ModuleList(
            Block(width, shape.heads, 0, condition) for _ in range(shape.depth)
        )
        self.nodes = NodeHeads(width, shape.atoms)
        self.told = nn.Linear(width, width) if shape.named else None
        self.second = Block(width, shape.heads, 0, condition) if shape.named else None
        self.heads = PairHeads(shape, corpus)
        self.refinement = Refinement(width) if shape.rounds else None
        self.slots = None
        if shape.slots:
            inputs = nn.Linear(shape.graph + joins, width)
            self.slots = nn.Sequential(inputs, nn.SiLU(), nn.Linear(width, corpus.most_nodes))
        self.key = NodeFeatures(width)
        self.popularity = nn.Parameter(torch.ones(()))

    def condition(self, environment_B4: Tensor, known_B4: Tensor) -> Tensor:
        """Return (B, D), what is told of the environment; (B, 0) if nothing is."""
        if self.vector is None:
            return environment_B4[:, :0]
        return self.vector(environment_B4, known_B4)

    def begin(
        self, nodes_BNL: Tensor | None, graph_BL: Tensor, mask_BN: Tensor, condition_BD: Tensor
    ) -> Nodes:
        """Return the nodes that latents stand for.

        Args:
            nodes_BNL: Latents of nodes; None where they have none.
            graph_BL: Latents of graphs.
            mask_BN: bool, the nodes that there are.
            condition_BD: Of `condition`.
        """
        B, N = mask_BN.shape
        if self.places is not None:
            nodes_BNL = self.places[:N].expand(B, N, -1)
        assert nodes_BNL is not None
        size_B1 = mask_BN.sum(1, keepdim=True).float().log() - 2
        whole = [graph_BL, size_B1, *self._joined(condition_BD)]
        whole_BNL = torch.cat(whole, -1).unsqueeze(1).expand(B, N, -1)
        x_BND = self.start(torch.cat([nodes_BNL, whole_BNL], -1))
        modules = None if self.composition is None else self.composition(nodes_BNL, graph_BL)
        if modules is not None:
            x_BND = x_BND + modules.content_BND
        for block in self.blocks:
            x_BND = block(x_BND, mask_BN, None, condition_BD)
        return self.nodes(x_BND, modules)

    def finish(
        self, nodes: Nodes, compounds_BND: Tensor, mask_BN: Tensor, condition_BD: Tensor
    ) -> Decoded:
        """Return the edges between nodes, given their compounds if `shape.named`.

        Args:
            nodes: Of `begin`.
            compounds_BND: Of `key`: real ones in training, drawn ones in generation.
            mask_BN: bool, the nodes that there are.
            condition_BD: Of `condition`.
        """
        x_BND = nodes.states_BND
        if self.told is not None and self.second is not None:
            x_BND = x_BND + self.told(compounds_BND)
            x_BND = self.second(x_BND, mask_BN, None, condition_BD)
        decoded, earlier = self.heads(x_BND, nodes), list[Tensor]()
        if self.refinement is None:
            return decoded
        pairs_BNN = pairs_of(mask_BN)
        for _ in range(self.shape.rounds):
            earlier.append(decoded.edges_BNN)
            x_BND = self.refinement(x_BND, decoded, pairs_BNN)
            decoded = self.heads(x_BND, nodes)
        return replace(decoded, earlier=tuple(earlier))

    def existence(self, graph_BL: Tensor, condition_BD: Tensor) -> Tensor:
        """Return (B, M): the log odds that a graph has a node in each slot.

        Nodes have no order: a slot is there if the graph has that many nodes or more.
        """
        assert self.slots is not None, "built with slots"
        return self.slots(torch.cat([graph_BL, *self._joined(condition_BD)], -1))

    def keys(
        self, features_VF: Tensor, classes_V: Tensor, counts_V: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return (V, D) and (V,): what compounds answer to queries, and how common they are."""
        return self.key(features_VF, classes_V), self.popularity * counts_V.log1p()

    def _joined(self, condition_BD: Tensor) -> list[Tensor]:
        return [condition_BD] if self.environment in ("concatenation", "both") else []


def expected_log_odds(mean: Tensor, variance: Tensor) -> Tensor:
    """Return the log odds of E σ(x), x normal: MacKay, Neural Computation 4 (1992) 720, eq. 10.

    Where the spread is large the answer tends to even odds: the network may say that it does not
    know (Kendall, Gal, NeurIPS 2017, section 3.3, whose integral this solves without draws).
    """
    return mean / (1 + math.pi / 8 * variance).sqrt()


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))
