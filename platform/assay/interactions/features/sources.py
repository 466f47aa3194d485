"""What can be known of nodes, by name, and several of them side by side."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from assay.catalog import load
from assay.errors import ConfigError, DataError
from assay.interactions.catalog import SOURCES
from assay.interactions.features.node_features import NodeFeatures, concatenated
from assay.interactions.settings import FeatureSettings
from assay.store.packed import PackedSet

Source = Callable[[PackedSet, FeatureSettings], NodeFeatures]


def node_features(packed: PackedSet, settings: FeatureSettings) -> NodeFeatures | None:
    """Return the features of all sources side by side; None if there is no source.

    Raises:
        ConfigError: the data set has no such table of structures.
        DataError: a source knows nothing of this set, or what was kept of it is damaged.
    """
    found = [_of_source(name, packed, settings) for name in settings.sources]
    return concatenated(found) if found else None


def _of_source(name: str, packed: PackedSet, settings: FeatureSettings) -> NodeFeatures:
    found = cast(Source, load(SOURCES[name]))(packed, settings)
    if not found.mask_V.any():
        raise DataError(
            f"{packed.name}: source {name} knows nothing of any node; leave it out, or prepare the "
            "set from a source that has structures"
        )
    return found


def smiles_of(packed: PackedSet, settings: FeatureSettings) -> Sequence[str]:
    """Return (V,) SMILES of the chosen table, empty where a structure is not known.

    Raises:
        ConfigError: the data set has no such table.
    """
    name = {"best": "smiles", "study": "study_smiles"}[settings.structures]
    if name not in packed.arrays:
        raise ConfigError(
            f"{packed.name}: has no table of structures {settings.structures!r}; use best"
        )
    return [text.decode() for text in np.asarray(packed.arrays[name])]


def known_structures(packed: PackedSet, settings: FeatureSettings) -> np.ndarray:
    """Return bool (V,): the nodes whose structure the chosen table knows."""
    return np.array([bool(text) for text in smiles_of(packed, settings)])
