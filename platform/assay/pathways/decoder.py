"""The decoder of the Graph VAE: from latents, in an environment, to all of a graph at once.

All nodes first, then all edges given the compounds that the nodes are, p(X | z) p(A | X, z): edges
between compounds that were drawn apart would join what no reaction turns into each other.

An edge u → v is scored by what u gives and what v takes, which are different functions of a node:
the score of v → u is another number. An inner product of the nodes' latents could not tell the two
apart.

Of graphs of many nodes only candidates are looked at closely (`assay.pathways.candidates`): by that
product all pairs are scored, and the best of each node by a network that sees both ends.

Shapes: B graphs, N nodes (padded), D width, L latent entries, V compounds, M slots for nodes, R
classes of reactions, K classes of compounds, P listed pairs.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from assay.errors import ConfigError
from assay.pathways.attention import Block
from assay.pathways.candidates import Place, Sparsity, candidate_pairs, places_of
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
    sparsity: Sparsity


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
    """Everything that a graph may be, as log odds and logits; what edges are, `Decoder.kinds`."""

    nodes: Nodes
    states_BND: Tensor
    """Of nodes, once all is said of their edges."""
    near_BNN: Tensor
    """bool: the pairs that were looked at closely; of graphs of few nodes all."""
    edges_BNN: Tensor
    """Calibrated log odds of an edge from the row to the column."""
    earlier: tuple[Tensor, ...] = ()
    """(B, N, N) each: the edges before each round of refinement."""


@dataclass(frozen=True)
class Kinds:
    """What some edges are, if they are there."""

    place: Place
    """Row and column are source and target."""
    reversible_P: Tensor
    """Log odds that the edge is reversible."""
    reactions_PR: Tensor
    """Logits of its reaction's class."""


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

    def forward(self, x_BND: Tensor, nodes: Nodes, mask_BN: Tensor) -> Decoded:
        """Return what pairs of nodes in these states are."""
        y_BND, scale = self.norm(x_BND), x_BND.shape[-1] ** -0.5
        mean_BNN = torch.einsum("bud,bvd->buv", self.gives(y_BND), self.takes(y_BND)) * scale
        mean_BNN = mean_BNN + self.density
        if nodes.modules is not None:
            mean_BNN = mean_BNN + nodes.modules.edges_BNN
        near_BNN = candidate_pairs(self._both_ways(mean_BNN), mask_BN, self.shape.sparsity)
        if not self.shape.directed:
            near_BNN = near_BNN | near_BNN.mT
        more_BNN, spread_BNN = self._closely(y_BND, near_BNN)
        mean_BNN = self._both_ways(mean_BNN + more_BNN)
        if self.shape.uncertain:
            spread_BNN = nn.functional.softplus(self._both_ways(spread_BNN))
            sure_BNN = expected_log_odds(mean_BNN, spread_BNN)
            mean_BNN = sure_BNN.where(near_BNN, mean_BNN)
        return Decoded(nodes, x_BND, near_BNN, mean_BNN)

    def kinds(self, x_BND: Tensor, edges_BNN: Tensor) -> Kinds:
        """Return what these edges are, bool (B, N, N), between nodes in these states."""
        place = places_of(edges_BNN)
        found_PK = self._seen(self._ends(self.norm(x_BND), place), slice(2, None))
        return Kinds(place, found_PK[:, 0], found_PK[:, 1:])

    def _closely(self, y_BND: Tensor, near_BNN: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, N, N) twice: what is added to the log odds, and how unsure they are.

        Where pairs are not near, 0 of what would take a vector a pair.
        """
        B, N, _ = near_BNN.shape
        if self.shape.sparsity.beyond >= N:
            hidden = self.source(y_BND).unsqueeze(2) + self.target(y_BND).unsqueeze(1)
            more_BNN, spread_BNN = self._seen(hidden, slice(2)).unbind(-1)
            return more_BNN, spread_BNN
        place = places_of(near_BNN)
        more_P, spread_P = self._seen(self._ends(y_BND, place), slice(2)).unbind(-1)
        zeros_BNN = more_P.new_zeros(B, N, N)
        return zeros_BNN.index_put(place, more_P), zeros_BNN.index_put(place, spread_P)

    def _ends(self, y_BND: Tensor, place: Place) -> Tensor:
        """Return (P, PAIR_WIDTH): the two ends of pairs, together."""
        graph_P, source_P, target_P = place
        return self.source(y_BND)[graph_P, source_P] + self.target(y_BND)[graph_P, target_P]

    def _seen(self, ends: Tensor, which: slice) -> Tensor:
        """Return some of what the pair's layer says: log odds, their spread, then the kinds."""
        layer = self.pair
        return nn.functional.linear(
            nn.functional.silu(ends), layer.weight[which], layer.bias[which]
        )

    def _both_ways(self, values_BNN: Tensor) -> Tensor:
        """Return the mean of an edge and its reverse where directions are not told apart."""
        return values_BNN if self.shape.directed else (values_BNN + values_BNN.mT) / 2


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

    def forward(self, x_BND: Tensor, decoded: Decoded) -> Tensor:
        """Return new states (B, N, D)."""
        chance_BNN = decoded.edges_BNN.sigmoid() * decoded.near_BNN
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
        most = max(MOST_NODES, corpus.most_nodes)
        self.places = None if shape.nodes else nn.Parameter(torch.randn(most, PLACE))
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

        Raises:
            ConfigError: nodes without latents are more than are told apart.
        """
        B, N = mask_BN.shape
        if self.places is not None:
            if len(self.places) < N:
                raise ConfigError(
                    f"settings.model.latents.nodes 0: {len(self.places)} nodes are told apart, "
                    f"and a graph of {N} is asked for; give nodes latents, or ask for fewer"
                )
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
        decoded, earlier = self.heads(x_BND, nodes, mask_BN), list[Tensor]()
        if self.refinement is None:
            return decoded
        for _ in range(self.shape.rounds):
            earlier.append(decoded.edges_BNN)
            x_BND = self.refinement(x_BND, decoded)
            decoded = self.heads(x_BND, nodes, mask_BN)
        return replace(decoded, earlier=tuple(earlier))

    def kinds(self, decoded: Decoded, edges_BNN: Tensor) -> Kinds:
        """Return what edges are, whatever their log odds: real ones, or those that were chosen.

        Args:
            decoded: Of `finish`.
            edges_BNN: bool, the edges that are asked for.
        """
        return self.heads.kinds(decoded.states_BND, edges_BNN)

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
