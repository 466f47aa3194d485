"""What a cell of the generation family can be told."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import PositiveFloat, PositiveInt

from assay.catalog import load
from assay.cell import Fraction
from assay.config import Settings, SizedSettings, choose, validate
from assay.errors import ConfigError
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.denoiser import Denoiser
from assay.generation.processes.process import GenerativeProcess, ProcessSettings

NetworkT = TypeVar("NetworkT", bound=SizedSettings)
ProcessT = TypeVar("ProcessT", bound=ProcessSettings)


class CrystalSettings(Settings):
    """What only crystals have."""

    given: Literal["nothing", "composition"] = "nothing"
    """What is known of a sample beforehand: nothing (de novo generation), or its atoms' elements
    (structure prediction, judged by matching the test split)."""
    cell_weight: PositiveFloat = 1.0
    """Weight of the cell's loss beside that of the positions."""


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
