"""The floor that reads one number: the share of liquid water in our own climate model's cube.

A planet is foretold by the training planets that have about as much liquid water, weighted by how
near they are (Nadaraya, Theory of Probability and its Applications 9 (1964) 141), and by one planet
that is their mean; the width is Silverman's rule of thumb ("Density Estimation" (1986), eq. 3.28).
So it says how much the fraction alone tells of the target, whatever curve ties the two; one without
a cube is the training mean.

Shapes: B planets, N training planets that have a cube, M modalities, K thresholds.
"""

from typing import ClassVar, Self

import torch
from torch import Tensor

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import CUBE_VARIABLES, MODALITIES, Modality
from assay.habitability.data.target import LIQUID_K
from assay.habitability.encoded import Encoded
from assay.habitability.encoders.encoder import Tokens
from assay.habitability.fusions.floor import Floor, said
from assay.habitability.heads import Foretold
from assay.habitability.simulator.grid import AREAS
from assay.habitability.targets import Averages, in_batches
from assay.habitability.thresholds import reached
from assay.task import Records

CUBE: Modality = "climate_cubes"
LEAST_WIDTH = 1e-3
"""Of the kernel, where all training planets have the same share."""


class EnergyBalance(Floor):
    """Tells what training planets of about the same share of liquid water are like."""

    reads: ClassVar[tuple[Modality, ...]] = (CUBE,)

    def __init__(self, averages: Averages, liquid_N: Tensor, reached_NK: Tensor) -> None:
        super().__init__(averages)
        self.register_buffer("liquid_N", liquid_N)
        self.register_buffer("reached_NK", reached_NK)
        self.width = LEAST_WIDTH
        if len(liquid_N) > 1:
            rule = 1.06 * float(liquid_N.std()) * len(liquid_N) ** -0.2
            self.width = max(LEAST_WIDTH, rule)

    @classmethod
    def of(cls, averages: Averages, records: Records) -> Self:
        """Return the floor of training planets; only those with a cube are neighbours."""
        liquid, labels = list[Tensor](), list[Tensor]()
        for batch in in_batches(records):  # one at a time: cubes are large
            has_B = batch.has(CUBE)
            liquid.append(liquid_water(batch.climate_cubes)[has_B])
            labels.append(batch.habitability_label[has_B])
        return cls(averages, torch.cat(liquid), reached(torch.cat(labels)).float())

    def encode(self, batch: MultiModalBatch) -> Encoded:
        """Return a token of one column: the share of liquid water."""
        x_B11 = liquid_water(batch.climate_cubes)[:, None, None]
        mask_B1 = torch.ones(len(batch), 1, dtype=torch.bool, device=x_B11.device)
        return Encoded.of({CUBE: Tokens(x_B11, mask_B1)}, batch.presence)

    def foretell(self, encoded: Encoded) -> Foretold:
        """Return the weighted shares of the neighbours."""
        m = MODALITIES.index(CUBE)
        mean_K, own_B1 = self.get_buffer("reached_K"), encoded.pooled()[:, m]
        off_BN = (own_B1 - self.get_buffer("liquid_N")) / self.width
        near_BN = (-off_BN.square() / 2).exp() * encoded.presence_BM[:, m, None]
        shares_BK = near_BN @ self.get_buffer("reached_NK") + mean_K
        return said(shares_BK / (near_BN.sum(1, keepdim=True) + 1))


def liquid_water(cubes_BVJLM: Tensor) -> Tensor:
    """Return (B,) the share of area and year at 0 to 100 °C, of normalised cubes."""
    surface = CUBE_VARIABLES[0]
    surface_K_BJLM = cubes_BVJLM[:, 0] * surface.scale + surface.centre
    inside = (surface_K_BJLM >= LIQUID_K[0]) & (surface_K_BJLM <= LIQUID_K[1])
    areas_J = torch.as_tensor(AREAS, dtype=torch.float32, device=cubes_BVJLM.device)
    return inside.float().mean((2, 3)) @ areas_J
