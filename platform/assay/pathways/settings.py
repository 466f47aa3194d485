"""What a cell of the pathways family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import PositiveInt, field_validator

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.pathways.ablations import ablated
from assay.pathways.catalog import MODELS
from assay.pathways.metrics.networks import BIOMASS, SHIPPED
from assay.pathways.model import ModelSettings, PathwayModel

ModelT = TypeVar("ModelT", bound=ModelSettings)


class FluxSettings(Settings):
    """The metabolic model into which generated graphs are inserted, and what ties them to it."""

    network: str
    """e_coli_core, iML1515 or iJO1366."""
    mapping: dict[str, str]
    """Compounds, as the data set names them, to metabolites of the network, by their ids."""

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        return choose("metabolic model", name, BIOMASS | SHIPPED)


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
    flux: FluxSettings | None = None
    """Given, what is generated is inserted into a metabolic model; it must be on this machine."""


def model_class(name: str) -> type[PathwayModel]:
    """Return a model by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(MODELS[choose("model", name, MODELS)])


def pathway_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> PathwaySettings:
    """Validate `given` with the settings class of the variant's model.

    Raises:
        ConfigError: a key is wrong, or the variant is no model, with or without an ablation.
    """
    if set(variant) not in ({"model"}, {"model", "ablation"}):
        raise ConfigError(
            "pathways: a variant is a model, and an ablation of graph_vae if the grid has that "
            f"axis, not {dict(variant)}"
        )
    own = model_class(variant["model"]).Settings
    of_model = given.get("model", {})
    if "ablation" in variant:
        if variant["model"] != "graph_vae":
            raise ConfigError(f"pathways: {variant['model']} has no ablations; graph_vae has")
        if isinstance(of_model, Mapping):
            of_model = ablated(variant["ablation"], of_model)
    model = PathwaySettings[own]  # pyright: ignore[reportInvalidTypeArguments]
    return validate(model, {**given, "model": of_model}, "settings")
