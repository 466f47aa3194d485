"""What a rebuilt climate violates, whatever the real one is.

Of the network, what its degrees violate is `assay.pathways.objective.degree`.

Shapes: B planets, V variables, J latitudes, L longitudes, M months.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.modalities import CUBE_VARIABLES, PARAMETERS
from assay.habitability.simulator.grid import AREAS
from assay.pathways.means import mean

NAMES = tuple(quantity.name for quantity in CUBE_VARIABLES)
TEMPERATURE, ABSORBED, OUTGOING, HEIGHT = (
    NAMES.index(name)
    for name in (
        "surface_temperature", "absorbed_starlight", "outgoing_radiation", "half_pressure_height",
    )
)  # fmt: skip
GRAVITY = [quantity.name for quantity in PARAMETERS].index("gravity")


def imbalance_W_m2(cubes_BVJLM: Tensor) -> Tensor:
    """Return (B,): absorbed starlight less outgoing radiation, over area and year.

    A climate that has settled absorbs what it sends out.
    """
    areas_J = torch.tensor(AREAS, dtype=cubes_BVJLM.dtype, device=cubes_BVJLM.device)
    net_BJLM = _physical(cubes_BVJLM, ABSORBED) - _physical(cubes_BVJLM, OUTGOING)
    with torch.autocast(cubes_BVJLM.device.type, enabled=False):  # bfloat16 rounds 300 W/m² to 2
        return net_BJLM.mean((2, 3)) @ areas_J


def energy(cubes_BVJLM: Tensor) -> Tensor:
    """Return the squared imbalance, in units of the scale of outgoing radiation."""
    return (imbalance_W_m2(cubes_BVJLM) / CUBE_VARIABLES[OUTGOING].scale).square().mean()


def bounds(cubes_BVJLM: Tensor) -> Tensor:
    """Return how far entries lie beyond what their quantity can be, normalised and squared."""
    ends = [((q.low - q.centre) / q.scale, (q.high - q.centre) / q.scale) for q in CUBE_VARIABLES]
    low, high = torch.tensor(ends, device=cubes_BVJLM.device).T[:, :, None, None, None]
    return (relu(low - cubes_BVJLM) ** 2 + relu(cubes_BVJLM - high) ** 2).mean()


def hydrostatics(cubes_BVJLM: Tensor, batch: MultiModalBatch) -> Tensor:
    """Return the squared error of the height of half the pressure, given the temperature there is.

    Of planets whose gravity is known, by `assay.habitability.data.columns`, normalised.
    """
    gravity, height = PARAMETERS[GRAVITY], CUBE_VARIABLES[HEIGHT]
    gravity_B = batch.planet_params[:, GRAVITY] * gravity.scale + gravity.centre
    height_of: Any = half_pressure_height_m  # of tensors as of arrays
    due_BJLM = height_of(_physical(cubes_BVJLM, TEMPERATURE), gravity_B[:, None, None, None])
    off_BJLM = (_physical(cubes_BVJLM, HEIGHT) - due_BJLM) / height.scale
    known_B = batch.has("planet_params")[:, None, None, None]
    return mean(off_BJLM**2, known_B.expand_as(off_BJLM))


def _physical(cubes_BVJLM: Tensor, variable: int) -> Tensor:
    quantity = CUBE_VARIABLES[variable]
    return cubes_BVJLM[:, variable] * quantity.scale + quantity.centre
