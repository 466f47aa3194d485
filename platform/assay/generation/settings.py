"""What a cell of the generation family can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from assay.catalog import load
from assay.cell import Fraction
from assay.config import Settings, SizedSettings, choose, validate
from assay.errors import ConfigError
from assay.generation.catalog import ARCHITECTURES, PROCESSES, PROPERTIES
from assay.generation.denoiser import Denoiser
from assay.generation.processes.process import GenerativeProcess, ProcessSettings, belongs_to
from assay.store import sets

NetworkT = TypeVar("NetworkT", bound=SizedSettings)
ProcessT = TypeVar("ProcessT", bound=ProcessSettings)


class CrystalSettings(Settings):
    """What only crystals have."""

    given: Literal["nothing", "composition"] = "nothing"
    """What is known of a sample beforehand: nothing (de novo generation), or its atoms' elements
    (structure prediction, judged by matching the test split)."""
    cell_weight: PositiveFloat = 1.0
    """Weight of the cell's loss beside that of the positions."""


class ConditionSettings(Settings):
    """What samples can be asked for, and how it is learnt and insisted on."""

    properties: tuple[str, ...] = ()
    """Names: composition; of molecules logp, qed, gap; of crystals density."""
    dropout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of training examples for which everything is left open: guidance and the unconditional
    control need a network that has learnt this case, too."""
    guidance: NonNegativeFloat = 1.0
    """Of samples: 1 follows the conditions as they were learnt, more exaggerates what they change
    (Ho and Salimans, "Classifier-free diffusion guidance", 2022, with weight w = guidance - 1), for
    twice the evaluations of the network."""

    @model_validator(mode="after")
    def _known_and_of_effect(self) -> Self:
        for name in self.properties:
            choose("property", name, PROPERTIES)
        if len(set(self.properties)) < len(self.properties):
            raise ValueError(f"names a property twice: {', '.join(self.properties)}")
        if not self.properties:
            belongs_to(self, "conditions.properties", "dropout", "guidance")
        return self


class SourceSettings(Settings):
    """Another data set that is learnt from: transfer, or joint training."""

    name: str
    """Of a data set of molecules or of crystals."""
    digest: str = Field(pattern=r"^[0-9a-f]{16,64}$")
    """Of its content; where it is left out, that of the set as it is prepared here."""
    when: Literal["before", "along"] = "before"
    """Before the cell's own data, for `share` of the budget; or along with it, every other step."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @model_validator(mode="before")
    @classmethod
    def _digest_of_what_is_here(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "name" in given and not given.get("digest"):
            return {**given, "digest": sets.prepare(str(given["name"])).digest}
        return given

    @model_validator(mode="after")
    def _share_belongs_to_before(self) -> Self:
        if self.when == "along":
            belongs_to(self, "source.when before", "share")
        return self


class GenerationSettings(Settings, Generic[NetworkT, ProcessT]):
    """Network, process and what both share."""

    network: NetworkT
    process: ProcessT
    self_conditioning: Fraction = 0.5
    """Share of training steps that see the network's own first prediction."""
    type_weight: PositiveFloat = 0.2
    """Weight of the atom types' cross-entropy beside the position loss."""
    coordinate_unit_angstrom: PositiveFloat = 1.72
    """About the standard deviation of QM9's coordinates."""
    crystals: CrystalSettings = CrystalSettings()
    """For data sets of crystals."""
    conditions: ConditionSettings = ConditionSettings()
    source: SourceSettings | None = None
    validation_molecules: PositiveInt = 512
    """Or crystals."""
    evaluation_samples: PositiveInt = 1000


def architecture(name: str) -> type[Denoiser]:
    """Return an architecture by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(ARCHITECTURES[choose("architecture", name, ARCHITECTURES)])


def process(name: str) -> type[GenerativeProcess]:
    """Return a generative process by name.

    Raises:
        ConfigError: there is none; the sentence names the nearest.
    """
    return load(PROCESSES[choose("process", name, PROCESSES)])


def generation_settings(variant: Mapping[str, str], given: Mapping[str, Any]) -> GenerationSettings:
    """Validate `given` with the settings classes that the variant names.

    Raises:
        ConfigError: a key is wrong, or the variant is not exactly an architecture and a process.
    """
    if set(variant) != {"architecture", "process"}:
        raise ConfigError(
            f"generation: a variant is an architecture and a process, not {dict(variant)}"
        )
    network = architecture(variant["architecture"]).Settings
    path = process(variant["process"]).Settings
    model = GenerationSettings[network, path]  # pyright: ignore[reportInvalidTypeArguments]
    return validate(model, {"network": {}, "process": {}, **given}, "settings")
