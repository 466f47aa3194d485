"""What a cell of the pathways family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import PositiveInt

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.pathways.catalog import MODELS
from assay.pathways.model import ModelSettings, PathwayModel

ModelT = TypeVar("ModelT", bound=ModelSettings)


class PathwaySettings(Settings, Generic[ModelT]):
    """The model's settings, and how it is judged."""

    model: ModelT
    sizes: Literal["training", "model"] = "training"
    """How many nodes generated graphs have: as training graphs that are drawn for it, or as the
    model says."""
    evaluation_graphs: PositiveInt | None = None
    """Graphs that are generated and judged; by default as many as the test split has."""
    validation_graphs: PositiveInt = 256
    """Of the validation split, the first so many are looked at; and as many are generated then."""


def model_class(name: str) -> type[PathwayModel]:
    """Return a model by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(MODELS[choose("model", name, MODELS)])


def pathway_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> PathwaySettings:
    """Validate `given` with the settings class of the variant's model.

    Raises:
        ConfigError: a key is wrong, or the variant is no model.
    """
    if set(variant) != {"model"}:
        raise ConfigError(f"pathways: a variant is a model, not {dict(variant)}")
    own = model_class(variant["model"]).Settings
    model = PathwaySettings[own]  # pyright: ignore[reportInvalidTypeArguments]
    return validate(model, {"model": {}, **given}, "settings")
