"""Cubes as sums of smooth functions: of latitude, around the planet, and around the year.

Legendre polynomials in the sine of latitude, in which area is uniform, by sines and cosines of
longitude and month: what has no ends has none here. The coefficients are a tenth of a cube.

Shapes: B planets, V variables, J latitudes, L longitudes, M months; a, b, c functions of the three.
"""

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor, nn

from assay.habitability.data.modalities import CUBE_VARIABLES
from assay.habitability.simulator.grid import N_LONGITUDES, N_MONTHS, SINES

DEGREES = 8
"""Polynomials of latitude, the constant one included."""
WAVES = 2
"""Of longitude and of the year, beside the constant."""
COEFFICIENTS = len(CUBE_VARIABLES) * DEGREES * (1 + 2 * WAVES) ** 2


class Harmonics(nn.Module):
    """From coefficients to cubes."""

    of_Ja: Tensor
    of_Lb: Tensor
    of_Mc: Tensor

    def __init__(self) -> None:
        super().__init__()
        of_latitude = legendre.legvander(SINES, DEGREES - 1) * np.sqrt(2 * np.arange(DEGREES) + 1)
        tables = {"Ja": of_latitude, "Lb": _around(N_LONGITUDES), "Mc": _around(N_MONTHS)}
        for name, table in tables.items():
            whole = torch.from_numpy(table.astype(np.float32))
            self.register_buffer(f"of_{name}", whole, persistent=False)
        self.shape = (len(CUBE_VARIABLES), DEGREES, 1 + 2 * WAVES, 1 + 2 * WAVES)

    def forward(self, coefficients_BC: Tensor) -> Tensor:
        """Return float32 (B, V, J, L, M), under autocast too: physics reads small differences."""
        with torch.autocast(coefficients_BC.device.type, enabled=False):
            x_BVabc = coefficients_BC.float().unflatten(-1, self.shape)
            x_BVabM = x_BVabc @ self.of_Mc.mT
            x_BVaLM = (x_BVabM.mT @ self.of_Lb.mT).mT
            return torch.einsum("bvalm,ja->bvjlm", x_BVaLM, self.of_Ja)


def _around(places: int) -> np.ndarray:
    """Return (places, 1 + 2 WAVES): functions of mean square 1 that come back to themselves."""
    angle = 2 * np.pi * np.arange(places) / places
    waves = [f(k * angle) for k in range(1, WAVES + 1) for f in (np.cos, np.sin)]
    return np.stack([np.ones(places), *(np.sqrt(2) * wave for wave in waves)], axis=1)
