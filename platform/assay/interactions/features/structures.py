"""Structures of nodes, and features of them by RDKit: fingerprints and descriptors of SMILES.

A structure that RDKit does not read is not known, whoever asks. Shapes: V nodes, F features.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError
from assay.interactions.features.node_features import NodeFeatures, cached
from assay.interactions.settings import FeatureSettings
from assay.store.packed import PackedSet

MORGAN_BITS, MORGAN_RADIUS = 2048, 2
_MOST_DEVIATIONS = 10.0
_LISTED = 5
log = logging.getLogger(__name__)


def smiles_of(packed: PackedSet, settings: FeatureSettings) -> list[str]:
    """Return (V,) SMILES of the chosen table as they stand there, empty where there is none.

    Raises:
        ConfigError: the data set has no such table.
    """
    name = {"best": "smiles", "study": "study_smiles"}[settings.structures]
    if name not in packed.arrays:
        raise ConfigError(
            f"{packed.name}: has no table of structures {settings.structures!r}; use best"
        )
    return [text.decode() for text in np.asarray(packed.arrays[name])]


def readable(smiles: Sequence[str]) -> tuple[str, ...]:
    """Return (V,) SMILES, empty where RDKit reads none; counts and lists those in a warning."""
    return _read(tuple(smiles))[0]


def unreadable(smiles: Sequence[str]) -> str:
    """Return the sentence that counts and lists the SMILES that RDKit does not read, or nothing."""
    return _read(tuple(smiles))[1]


def known_structures(packed: PackedSet, settings: FeatureSettings) -> NDArray[np.bool_]:
    """Return bool (V,): the nodes whose structure the chosen table knows, in SMILES that parse.

    Raises:
        ConfigError: the data set has no such table.
    """
    return np.array([bool(text) for text in readable(smiles_of(packed, settings))])


@lru_cache(maxsize=4)  # features and coverage ask for the same table, and it is told of once
def _read(smiles: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():  # what does not parse is listed below
        unread = {
            node: text
            for node, text in enumerate(smiles)
            if text and Chem.MolFromSmiles(text) is None
        }
    if not unread:
        return smiles, ""
    listed = [f"{node} ({text[:40]})" for node, text in unread.items()]
    more = f" and {len(unread) - _LISTED:,} more" if len(unread) > _LISTED else ""
    sentence = (
        f"{len(unread):,} structures do not parse and count as unknown: nodes "
        f"{', '.join(listed[:_LISTED])}{more}"
    )
    log.warning("%s", sentence)
    return tuple("" if node in unread else text for node, text in enumerate(smiles)), sentence


def morgan_of_nodes(packed: PackedSet, settings: FeatureSettings) -> NodeFeatures:
    """Return the fingerprints of the nodes' structures."""
    return morgan(smiles_of(packed, settings))


def descriptors_of_nodes(packed: PackedSet, settings: FeatureSettings) -> NodeFeatures:
    """Return the descriptors of the nodes' structures."""
    return descriptors(smiles_of(packed, settings))


def morgan(smiles: Sequence[str]) -> NodeFeatures:
    """Return Morgan fingerprints of radius 2, 2,048 bits; structures that do not parse are unknown.

    Source: Rogers and Hahn, J. Chem. Inf. Model. 50 (2010) 742.
    """
    import rdkit
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator = GetMorganGenerator(radius=MORGAN_RADIUS, fpSize=MORGAN_BITS)
    row, smiles = partial(_bits, generator), readable(smiles)
    of = {"smiles": digest_of(smiles), "bits": MORGAN_BITS, "radius": MORGAN_RADIUS}
    of["rdkit"] = rdkit.__version__
    return cached("morgan", of, len(smiles), lambda: _by_molecule(smiles, row, MORGAN_BITS))


def descriptors(smiles: Sequence[str]) -> NodeFeatures:
    """Return RDKit's descriptors in standard deviations of the known nodes, at most 10.

    One that no node has a value of, or all have the same of, is 0.
    """
    import rdkit
    from rdkit.Chem.Descriptors import CalcMolDescriptors, descList

    def row(molecule: Any) -> list[float]:
        return list(CalcMolDescriptors(molecule, missingVal=np.nan).values())

    smiles = readable(smiles)

    def compute() -> NodeFeatures:
        return standardised(_by_molecule(smiles, row, len(descList)))

    of = {"smiles": digest_of(smiles), "rdkit": rdkit.__version__}
    return cached("descriptors", of, len(smiles), compute)


def standardised(found: NodeFeatures) -> NodeFeatures:
    """Return features less their mean, over their deviation, both of the known rows."""
    x_KF = found.x_VF[found.mask_V].astype(np.float64)
    x_KF[~np.isfinite(x_KF)] = np.nan
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean_F = np.nanmean(x_KF, axis=0) if len(x_KF) else np.zeros(x_KF.shape[1])
        deviation_F = np.nanstd(x_KF, axis=0) if len(x_KF) else np.ones(x_KF.shape[1])
        scaled_KF = (x_KF - mean_F) / deviation_F
    scaled_KF = np.clip(np.nan_to_num(scaled_KF, nan=0.0), -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    x_VF = np.zeros_like(found.x_VF)
    x_VF[found.mask_V] = scaled_KF
    return NodeFeatures.of(x_VF, found.mask_V)


def digest_of(smiles: Sequence[str]) -> str:
    """Return 16 hex digits that name the structures and their order."""
    return hashlib.sha256("\n".join(smiles).encode()).hexdigest()[:16]


def _by_molecule(
    smiles: Sequence[str], row: Callable[[Any], Sequence[float] | NDArray], width: int
) -> NodeFeatures:
    from rdkit import Chem

    x_VF, mask_V = np.zeros((len(smiles), width)), np.array([bool(text) for text in smiles])
    for node in np.flatnonzero(mask_V).tolist():
        x_VF[node] = row(Chem.MolFromSmiles(smiles[node]))
    return NodeFeatures(x_VF.astype(np.float32), mask_V)


def _bits(generator: Any, molecule: Any) -> NDArray:
    return generator.GetFingerprintAsNumPy(molecule)
