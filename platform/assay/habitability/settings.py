"""What a cell of the habitability family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import PositiveInt

from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError
from assay.habitability.catalog import FUSIONS
from assay.habitability.fusions.floor import Floor
from assay.habitability.fusions.fusion import Fusion
from assay.habitability.model_settings import ModelSettings

ModelT = TypeVar("ModelT", bound=Settings)


class HabitabilitySettings(Settings, Generic[ModelT]):
    """The model's settings, and how it is looked at."""

    model: ModelT
    fold: PositiveInt | None = None
    """Which fold is the test, where planets are cross-validated; the next one is the validation. By
    default the split is the data set's own. As an axis of a grid: `fold: ["1", "2", …]`."""
    validation_planets: PositiveInt = 256
    """Of the validation split, the first so many are looked at during training: every planet with
    its first guest before any with its second, drawn planets before those of the catalogue."""


def fusion_class(name: str) -> type[Fusion] | type[Floor]:
    """Return a fusion, or the floor in its place, by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(FUSIONS[choose("fusion", name, FUSIONS)])


def habitability_settings(
    variant: Mapping[str, str], given: Mapping[str, Any]
) -> HabitabilitySettings:
    """Validate `given` with the settings class of the variant's fusion.

    Raises:
        ConfigError: a key is wrong or has no effect, or the variant is no fusion, with or without
            a fold.
    """
    if set(variant) not in ({"fusion"}, {"fusion", "fold"}):
        raise ConfigError(
            "habitability: a variant is a fusion, and a fold if the grid has that axis, not "
            f"{dict(variant)}"
        )
    if "fold" in variant:
        own = given.get("fold")
        if own is not None and str(own) != variant["fold"].lstrip("0"):
            raise ConfigError(
                f"settings.fold is {own}, and {variant['fold']} in the grid; leave it out of the "
                "settings"
            )
        given = {**given, "fold": variant["fold"]}
    fusion = fusion_class(variant["fusion"])
    model = HabitabilitySettings[fusion.Settings]  # pyright: ignore[reportInvalidTypeArguments]
    found = validate(model, {"model": {}, **given}, "settings")
    if isinstance(found.model, ModelSettings):
        _require_effects(variant["fusion"], fusion.reads, found.model)
    return found


def _require_effects(name: str, reads: tuple[str, ...], model: ModelSettings) -> None:
    """Refuse what is set for modalities that a fusion does not read."""
    plain = type(model).model_validate({})
    idle = {"graph": "bio_graphs" not in reads, "language_model": "text_descriptions" not in reads}
    idle |= dict.fromkeys(
        ("modality_dropout", "negatives", "temperature", "schedule"), len(reads) < 2
    )
    for key, is_idle in idle.items():
        if is_idle and getattr(model, key) != getattr(plain, key):
            raise ConfigError(
                f"settings.model.{key} has no effect on {name}, which reads {', '.join(reads)}; "
                "leave it out"
            )
