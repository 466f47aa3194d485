"""The methods of balancing losses. A new one is one file and one line here."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from assay.training.balancing.balance import Balance
from assay.training.balancing.curriculum import CurriculumSettings
from assay.training.balancing.dwa import DWASettings
from assay.training.balancing.equal import EqualSettings
from assay.training.balancing.famo import FAMOSettings
from assay.training.balancing.fixed import FixedSettings
from assay.training.balancing.initial_scale import InitialScaleSettings
from assay.training.balancing.pcgrad import PCGradSettings
from assay.training.balancing.plateau import PlateauSettings
from assay.training.balancing.random import RandomSettings
from assay.training.balancing.single import SingleSettings
from assay.training.balancing.uncertainty import UncertaintySettings

Balancing = Annotated[
    FixedSettings
    | EqualSettings
    | InitialScaleSettings
    | RandomSettings
    | UncertaintySettings
    | DWASettings
    | PCGradSettings
    | FAMOSettings
    | SingleSettings
    | CurriculumSettings
    | PlateauSettings,
    Field(discriminator="method"),
]
"""A method and what it is told, such as `{method: dwa, window: 100}`."""


def balance_of(settings: Balancing, weights: Mapping[str, float], seed: int = 0) -> Balance:
    """Return the method that settings ask for.

    Args:
        settings: Of the method.
        weights: Given ones, by name of the loss. Only `fixed`, `curriculum` and `plateau` start
            from them; the others ask only whether one is above 0, so that its loss takes part.
        seed: Of the cell, for methods that draw.

    Raises:
        ConfigError: all weights are 0, or a loss that the settings name is none of them.
    """
    return settings.balance(weights, seed)
