"""Features of structures by RDKit: fingerprints and descriptors of SMILES.

Shapes: V nodes, F features.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.interactions.features.node_features import NodeFeatures, cached
from assay.interactions.features.sources import smiles_of
from assay.interactions.settings import FeatureSettings
from assay.store.packed import PackedSet

MORGAN_BITS, MORGAN_RADIUS = 2048, 2
_MOST_DEVIATIONS = 10.0
_LISTED = 5
log = logging.getLogger(__name__)


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
    row = partial(_bits, generator)
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
    from rdkit import Chem, rdBase

    x_VF, mask_V, unread = np.zeros((len(smiles), width)), np.zeros(len(smiles), bool), []
    with rdBase.BlockLogs():  # what does not parse is listed below
        for node, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is not None:
                x_VF[node], mask_V[node] = row(molecule), True
            elif text:
                unread.append(f"{node} ({text[:40]})")
    if unread:
        more = f" and {len(unread) - _LISTED:,} more" if len(unread) > _LISTED else ""
        log.warning(
            "%d structures do not parse and count as unknown: nodes %s%s",
            len(unread), ", ".join(unread[:_LISTED]), more,
        )  # fmt: skip
    return NodeFeatures(x_VF.astype(np.float32), mask_V)


def _bits(generator: Any, molecule: Any) -> NDArray:
    return generator.GetFingerprintAsNumPy(molecule)
