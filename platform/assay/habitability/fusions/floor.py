"""The contract of a floor: it learns by no gradient, what it tells follows from training planets.

Whatever it says of habitability, of everything else it says the training planets' means.

Shapes: B planets, M modalities, K thresholds.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from assay.config import Settings
from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoded import Encoded
from assay.habitability.heads import Foretold, Told, constants_of
from assay.habitability.targets import Averages
from assay.task import Records


class FloorSettings(Settings):
    """There is nothing to set."""


class Floor(nn.Module, ABC):
    """Knows the means of the training planets."""

    Settings: ClassVar[type[FloorSettings]] = FloorSettings
    reads: ClassVar[tuple[Modality, ...]] = ()

    def __init__(self, averages: Averages) -> None:
        super().__init__()
        self.register_buffer("reached_K", averages.reached_K)
        for name, constant in constants_of(averages).items():
            self.register_buffer(f"mean_{name}", constant)

    @classmethod
    def of(cls, averages: Averages, records: Records) -> Self:
        """Return the floor of training planets, of which the means are known already."""
        return cls(averages)

    @property
    def device(self) -> torch.device:
        """Where the means are."""
        return self.get_buffer("reached_K").device

    @abstractmethod
    def encode(self, batch: MultiModalBatch) -> Encoded:
        """Return what is read of a batch."""

    @abstractmethod
    def foretell(self, encoded: Encoded) -> Foretold:
        """Return habitability alone, by what is present."""

    def tell(self, encoded: Encoded) -> Told:
        """Return habitability, and the training planets' means of everything else."""
        B = len(encoded.presence_BM)

        def of(name: str) -> Tensor:
            mean = self.get_buffer(f"mean_{name}")
            return mean.expand(B, *mean.shape)

        modalities: dict[Modality, Tensor] = {name: of(name) for name in MODALITIES}
        return Told(
            self.foretell(encoded), of("liquid_water").sigmoid(), of("environment"), modalities
        )


def said(chance_BK: Tensor) -> Foretold:
    """Return chances, none of them 0 or 1, as what one state of a planet foretells."""
    return Foretold(chance_BK.logit().unsqueeze(1), chance_BK.new_ones(len(chance_BK), 1))
