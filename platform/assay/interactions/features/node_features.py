"""The contract of node features: a row a node, and which rows are known.

Shapes: V nodes, F features.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from assay.config import digest16
from assay.errors import DataError
from assay.result import write_bytes
from assay.store.locations import cache_root


@dataclass(frozen=True)
class NodeFeatures:
    """Features of nodes, of which some are not known."""

    x_VF: NDArray[np.float32]
    """Rows that are not known are 0."""
    mask_V: NDArray[np.bool_]
    """Whether a row is known."""

    @classmethod
    def of(
        cls, x_VF: NDArray, mask_V: NDArray[np.bool_] | None = None, where: str = "features"
    ) -> Self:
        """Return checked features; without a mask all are known.

        Raises:
            DataError: the mask is of another length, or a known feature is not finite.
        """
        known_V = np.ones(len(x_VF), bool) if mask_V is None else np.asarray(mask_V, bool)
        if known_V.shape != (len(x_VF),):
            raise DataError(
                f"{where}: the mask has {len(known_V):,} entries for {len(x_VF):,} nodes; give one "
                "a node"
            )
        wild = np.flatnonzero(known_V & ~np.isfinite(x_VF).all(axis=1))
        if len(wild):
            raise DataError(f"{where}: node {wild[0]} has a feature that is not finite")
        return cls(np.where(known_V[:, None], x_VF, 0).astype(np.float32), known_V)


def concatenated(parts: Sequence[NodeFeatures]) -> NodeFeatures:
    """Join features of the same nodes side by side; a node is known where any part knows it.

    Raises:
        DataError: they are of different numbers of nodes.
    """
    counts = {len(part.x_VF) for part in parts}
    if len(counts) > 1:
        raise DataError(f"features of {' and '.join(map(str, sorted(counts)))} nodes: not the same")
    masks = np.stack([part.mask_V for part in parts])
    known_V = np.asarray(masks.any(axis=0))
    return NodeFeatures(np.concatenate([part.x_VF for part in parts], axis=1), known_V)


def cached(
    name: str, of: Mapping[str, object], n_nodes: int, compute: Callable[[], NodeFeatures]
) -> NodeFeatures:
    """Return features that were computed before, or compute and keep them.

    Args:
        name: Of the features, such as `morgan`.
        of: All that they depend on: nodes, settings, model; plain values.
        n_nodes: V.
        compute: Makes them.

    Raises:
        DataError: what is kept is damaged, or of other nodes or another model.
    """
    key = digest16({"name": name, **of})
    path = cache_root() / "features" / f"{name}-{key}.safetensors"
    if path.exists():
        return _read(path, key, n_nodes)
    found = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = save({"x": found.x_VF, "mask": found.mask_V}, metadata={"key": key})
    write_bytes(path, content)
    return found


def _read(path: Path, key: str, n_nodes: int) -> NodeFeatures:
    try:
        with safe_open(path, framework="numpy") as file:
            found = (file.metadata() or {}).get("key")
            x_VF, mask_V = file.get_tensor("x"), file.get_tensor("mask")
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path}: not readable ({error}); delete it, and it is made anew"
        ) from error
    if found != key or len(x_VF) != n_nodes:
        raise DataError(
            f"{path}: was made by another model or for other nodes; delete it, and it is made anew"
        )
    return NodeFeatures.of(x_VF, mask_V, str(path))
