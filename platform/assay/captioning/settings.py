"""What a cell of the captioning family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field, PositiveInt, field_validator

from assay.captioning.catalog import GENERATORS
from assay.captioning.generator import Generator, GeneratorSettings
from assay.captioning.metrics.evaluate import PROTOCOLS
from assay.captioning.rewriting import Writing
from assay.catalog import load
from assay.config import Settings, choose, validate
from assay.errors import ConfigError

DEFAULT_PROTOCOLS = ("molt5", "sacrebleu", "groups")
PROTOCOLS_OF: Mapping[str, tuple[str, ...]] = {
    "mini_captions": ("sacrebleu", "whitespace", "groups"),
}
"""Data sets whose numbers compare with nothing published: what judges them asks for no assets."""

GeneratorT = TypeVar("GeneratorT", bound=GeneratorSettings)


class CaptioningSettings(Settings, Generic[GeneratorT]):
    """The generator's settings, and how captions are judged."""

    generator: GeneratorT
    protocols: tuple[str, ...] | None = None
    """By which captions are scored; by default molt5, sacrebleu and groups, of mini_captions
    sacrebleu, whitespace and groups, which need no assets."""
    evaluation_molecules: PositiveInt | None = None
    """The first so many of the test split; by default all of it."""
    # Left out of a cell where they are as given: keys of before stay what they are.
    smiles: Literal["given", Writing] = Field(
        default="given", exclude_if=lambda how: how == "given"
    )
    """How the molecules of the test split are written that the generator reads, and of which their
    graphs are made (`assay.captioning.rewriting`). The judge reads them as they are given."""

    @field_validator("protocols")
    @classmethod
    def _known_and_each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            choose("protocol", name, PROTOCOLS)
        if names is not None and (not names or len(set(names)) < len(names)):
            raise ValueError("protocols: name at least one, each once")
        return names


def generator(name: str) -> type[Generator]:
    """Return a generator by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(GENERATORS[choose("generator", name, GENERATORS)])


def captioning_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> CaptioningSettings:
    """Validate `given` with the settings class of the variant's generator.

    Raises:
        ConfigError: a key is wrong, or the variant is no generator.
    """
    if set(variant) != {"generator"}:
        raise ConfigError(f"captioning: a variant is a generator, not {dict(variant)}")
    own = generator(variant["generator"]).Settings
    model = CaptioningSettings[own]  # pyright: ignore[reportInvalidTypeArguments]
    return validate(model, {"generator": {}, **given}, "settings")


def protocols_of(chosen: tuple[str, ...] | None, data: str) -> tuple[str, ...]:
    """Return the names of the protocols that judge captions of a data set."""
    return chosen or PROTOCOLS_OF.get(data, DEFAULT_PROTOCOLS)
