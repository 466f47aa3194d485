"""Cubes as sums of smooth functions."""

import numpy as np
import torch

from assay.habitability.data.modalities import CUBE_VARIABLES
from assay.habitability.harmonics import COEFFICIENTS, DEGREES, WAVES, Harmonics
from assay.habitability.simulator.grid import AREAS


def test_the_first_coefficient_of_a_variable_is_its_mean_over_area_and_year():
    made = Harmonics()
    random = torch.randn(3, COEFFICIENTS, generator=torch.Generator().manual_seed(0))

    cubes = made(random)

    mean = torch.einsum("bvjlm,j->bv", cubes, torch.tensor(AREAS, dtype=torch.float32)) / 144
    first = random.view(3, len(CUBE_VARIABLES), -1)[:, :, 0]
    # Belts are 10° wide: polynomials at their middles are nearly, not exactly, free of means.
    torch.testing.assert_close(mean, first, rtol=0.0, atol=0.35)
    plain = torch.zeros(1, COEFFICIENTS)
    plain[0, 0] = 2.0
    torch.testing.assert_close(made(plain)[0, 0], torch.full((18, 12, 12), 2.0))
    assert not made(plain)[0, 1:].any()


def test_every_function_changes_the_cube_in_its_own_way():
    made = Harmonics()
    functions = DEGREES * (1 + 2 * WAVES) ** 2
    one_each = torch.zeros(functions, COEFFICIENTS)
    one_each[torch.arange(functions), torch.arange(functions)] = 1.0

    cubes = made(one_each)[:, 0].flatten(1).numpy()

    assert np.linalg.matrix_rank(cubes) == functions


def test_a_year_and_a_circle_close():
    """The step from the last place to the first is no larger than steps between are."""
    made = Harmonics()
    random = torch.randn(2, COEFFICIENTS, generator=torch.Generator().manual_seed(1))

    cubes = made(random)

    for axis in (3, 4):
        steps = (cubes.roll(-1, axis) - cubes).abs().transpose(0, axis).flatten(1).amax(1)
        assert steps[-1] <= 1.5 * steps[:-1].max()
