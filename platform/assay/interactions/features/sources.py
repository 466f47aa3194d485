"""What can be known of nodes, by name, and several of them side by side."""

from collections.abc import Callable
from typing import cast

from assay.catalog import load
from assay.errors import DataError
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
