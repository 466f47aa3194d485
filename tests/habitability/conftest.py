"""The mini set of planets, made once."""

import numpy as np
import pytest

from assay.habitability.data.mini_planets import MINI_PLANETS
from assay.store.packed import PackedSet


@pytest.fixture(scope="session")
def planets(tmp_path_factory) -> PackedSet:
    """The mini set, packed."""
    built = MINI_PLANETS.build("rules", lambda phase, fraction: None)
    folder = tmp_path_factory.mktemp("planets")
    return PackedSet.write(
        folder, built.arrays, name="mini_planets", description=built.description, source="rules"
    )


@pytest.fixture
def cube():
    """A cube that nothing is wrong with: an Earth of 280 K everywhere."""
    one = np.empty((18, 12, 12, 5), np.float32)
    one[:] = (280.0, 240.0, 240.0, 0.1, 5500.0)
    return one
