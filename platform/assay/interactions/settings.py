"""What a cell of the interactions family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import PositiveInt

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.interactions.catalog import ENCODERS
from assay.interactions.encoder import Encoder, EncoderSettings

NetworkT = TypeVar("NetworkT", bound=EncoderSettings)


class LinkSettings(Settings, Generic[NetworkT]):
    """The encoder's settings, and what all encoders share."""

    network: NetworkT
    decoder_layers: PositiveInt = 2
    negatives: PositiveInt = 1
    """Pairs that are no edge, drawn for each edge of a batch."""


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
