"""What a cell of the interactions family can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, PositiveInt, model_validator

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.interactions.catalog import ENCODERS, SOURCES
from assay.interactions.encoder import Encoder, EncoderSettings
from assay.interactions.features.treatment import Missing

NetworkT = TypeVar("NetworkT", bound=EncoderSettings)


class DecoderSettings(Settings):
    """Of the network that scores a pair."""

    layers: PositiveInt = 2
    width: PositiveInt | None = None
    """Of its hidden layers; by default the encoder's."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    residual: bool = False


class ChembertaSettings(Settings):
    """The encoder of SMILES that source chemberta asks."""

    model: str = "seyonec/ChemBERTa-zinc-base-v1"
    """A folder with its weights and tokenizer, or its name on the hub."""
    revision: str | None = None
    """On the hub."""
    pooling: Literal["cls", "mean"] = "cls"
    """The state of the first token, or the mean over all."""


class FeatureSettings(Settings):
    """What nodes are given."""

    sources: list[str] = []
    """Names: morgan, descriptors, proteins, chemberta; without any, a learned row a node is all."""
    structures: Literal["best", "study"] = "best"
    """Which table of structures: the best there is, or an earlier study's, which has fewer."""
    missing: Missing = "fallback"
    """What nodes without features are given."""
    ids: PositiveInt | None = None
    """Width of a learned row a node beside the features; without sources by default the encoder's
    width."""
    chemberta: ChembertaSettings | None = None
    """Of source chemberta."""

    @model_validator(mode="before")
    @classmethod
    def _chemberta_has_its_own(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "chemberta" in (given.get("sources") or ()):
            return {**given, "chemberta": given.get("chemberta") or {}}
        return given

    @model_validator(mode="after")
    def _known_and_each_once(self) -> Self:
        for name in self.sources:
            choose("source of features", name, SOURCES)
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("sources: one is given twice")
        if self.chemberta is not None and "chemberta" not in self.sources:
            raise ValueError("chemberta belongs to sources: [chemberta]")
        unused = {"structures": self.structures != "best", "missing": self.missing != "fallback"}
        for name, is_set in unused.items():
            if is_set and not self.sources:
                raise ValueError(f"{name} has no effect without sources")
        return self


class LinkSettings(Settings, Generic[NetworkT]):
    """The encoder's settings, and what all encoders share."""

    network: NetworkT
    features: FeatureSettings = FeatureSettings()
    decoder: DecoderSettings = DecoderSettings()
    negatives: PositiveInt = 1
    """Pairs that are no edge, drawn for each edge of a batch."""
    masked: bool = False
    """Whether the edges of a batch pass no messages while they are to be foretold."""


def encoder(name: str) -> type[Encoder]:
    """Return an encoder by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(ENCODERS[choose("encoder", name, ENCODERS)])


def link_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> LinkSettings:
    """Validate `given` with the settings class of the variant's encoder.

    Raises:
        ConfigError: a key is wrong, or the variant is not exactly an encoder.
    """
    if set(variant) != {"encoder"}:
        raise ConfigError(f"interactions: a variant is an encoder, not {dict(variant)}")
    network = encoder(variant["encoder"]).Settings
    model = LinkSettings[network]  # pyright: ignore[reportInvalidTypeArguments]
    return validate(model, {"network": {}, **given}, "settings")
