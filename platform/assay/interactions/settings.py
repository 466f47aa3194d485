"""What a cell of the interactions family can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, PositiveInt, model_validator

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.interactions.catalog import ENCODERS, SOURCES
from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.features.treatment import Missing
from assay.store.pretrained import PretrainedSettings

IDS = 64
"""Width of a learned row beside features, where a grid asks for it and nobody says."""
NODES: Mapping[str, Mapping[str, Any]] = {
    "ids": {"sources": [], "chemberta": None},
    "zeros": {"missing": "zeros"},
    "random": {"missing": "random"},
    "mean": {"missing": "mean"},
    "fallback": {"missing": "fallback"},
    "per_node": {"missing": "per_node"},
    "zeros_ids": {"missing": "zeros", "ids": IDS},
    "mean_ids": {"missing": "mean", "ids": IDS},
    "fallback_ids": {"missing": "fallback", "ids": IDS},
}
"""What nodes are given, as an axis of a grid: a learned row alone; the suite's sources with one of
the treatments of those that are not known; that, and a learned row a node beside it."""

NetworkT = TypeVar("NetworkT", bound=EncoderSettings)


class DecoderSettings(Settings):
    """Of the network that scores a pair."""

    layers: PositiveInt = 2
    width: PositiveInt | None = None
    """Of its hidden layers; by default the encoder's."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    residual: bool = False

    @model_validator(mode="after")
    def _of_hidden_layers(self) -> Self:
        if self.layers == 1 and (self.width or self.dropout or self.residual):
            raise ValueError("a decoder of one layer has no width, dropout or residual of its own")
        return self


class ChembertaSettings(PretrainedSettings):
    """The encoder of SMILES that source chemberta asks."""

    key: ClassVar[str] = "chemberta"

    pooling: Literal["cls", "mean"] = "cls"
    """The state of the first token, or the mean over all."""


class FeatureSettings(Settings):
    """What nodes are given."""

    sources: list[str] = []
    """Names: morgan, descriptors, proteins, chemberta; without any, a learned row a node is all."""
    structures: Literal["best", "study"] = "best"
    """Which table of structures: the best there is, or an earlier study's, which has fewer. Edges
    are told apart by it, too, whatever nodes are given."""
    missing: Missing = "fallback"
    """What nodes without features are given."""
    ids: PositiveInt | None = None
    """Width of a learned row a node beside the features; without sources by default the encoder's
    width. Where a grid has nodes as an axis, that of zeros_ids, mean_ids and fallback_ids."""
    chemberta: ChembertaSettings | None = None
    """Of source chemberta."""

    @model_validator(mode="before")
    @classmethod
    def _chemberta_says_which(cls, given: Any) -> Any:
        sources = given.get("sources") if isinstance(given, Mapping) else None
        if isinstance(sources, list) and "chemberta" in sources and not given.get("chemberta"):
            raise ValueError("source chemberta needs chemberta.model: a folder or a name")
        return given

    @model_validator(mode="after")
    def _known_and_each_once(self) -> Self:
        for name in self.sources:
            choose("source of features", name, SOURCES)
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("sources: one is given twice")
        if self.chemberta is not None and "chemberta" not in self.sources:
            raise ValueError("chemberta belongs to sources: [chemberta]")
        if self.missing != "fallback" and not self.sources:
            raise ValueError("missing has no effect without sources")
        return self


class LinkSettings(Settings, Generic[NetworkT]):
    """The encoder's settings, and what all encoders share."""

    network: NetworkT
    features: FeatureSettings = FeatureSettings()
    decoder: DecoderSettings = DecoderSettings()
    negatives: PositiveInt = 1
    """Pairs that are no edge, drawn for each edge of a batch."""
    masked: bool = False
    """Whether the edges of a batch pass no messages while they are to be foretold. A step in parts
    (several workers, micro-batches) hides in each part that part's edges alone."""
    neighbours: list[PositiveInt] = []
    """In training, pass messages among so many neighbours of each node of a batch, so many of each
    of those, and so on, one number a layer: for graphs whose nodes do not fit into a step. Without
    numbers a step passes over the whole graph, as evaluation always does."""

    @model_validator(mode="after")
    def _of_all_edges(self) -> Self:
        if self.network.told_of_edges and (self.masked or self.neighbours):
            raise ValueError(
                "network.edges are counted over all training edges, hidden ones, too: leave out "
                "masked and neighbours"
            )
        return self

    @model_validator(mode="after")
    def _one_number_a_layer(self) -> Self:
        if self.neighbours and len(self.neighbours) != self.network.depth:
            raise ValueError(
                f"neighbours: {len(self.neighbours)} given for {self.network.depth} layers; give "
                "one a layer"
            )
        return self


def encoder(name: str) -> type[Encoder]:
    """Return an encoder by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(ENCODERS[choose("encoder", name, ENCODERS)])


def link_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> LinkSettings:
    """Validate `given` with the settings class of the variant's encoder.

    Raises:
        ConfigError: a key is wrong, or the variant is no encoder, with or without nodes.
    """
    if set(variant) not in ({"encoder"}, {"encoder", "nodes"}):
        raise ConfigError(
            "interactions: a variant is an encoder, and nodes if the grid has that axis, not "
            f"{dict(variant)}"
        )
    network = encoder(variant["encoder"]).Settings
    model = LinkSettings[network]  # pyright: ignore[reportInvalidTypeArguments]
    features = given.get("features") or {}
    if isinstance(features, Mapping):
        features = _features_of(variant.get("nodes"), features)
    return validate(model, {"network": {}, **given, "features": features}, "settings")


def _features_of(nodes: str | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    if nodes is None:
        return given
    fixed = NODES[choose("nodes", nodes, NODES)]
    # A cell that is read again says what its nodes are; of ids, which treat nothing, the default.
    missing = fixed.get("missing", FeatureSettings.model_fields["missing"].default)
    if given.get("missing", missing) != missing:
        raise ConfigError(
            f"settings.features.missing is what the grid's nodes say, {missing} for {nodes}; leave "
            "it out"
        )
    if nodes != "ids" and not given.get("sources"):
        raise ConfigError(f"nodes {nodes} need settings.features.sources, such as [morgan]")
    ids = (given.get("ids") or fixed["ids"]) if "ids" in fixed else None
    return {**given, **fixed, "ids": ids}
