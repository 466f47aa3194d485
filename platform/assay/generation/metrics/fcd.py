"""Fréchet ChemNet Distance: how far samples are from real molecules, as a network sees them.

ChemNet was trained to predict the activities of drugs; a Gaussian is fitted to its last hidden
layer over the samples and one over the reference's test split, and the distance between the two
is the metric. Source: Preuer et al., "Fréchet ChemNet Distance", J. Chem. Inf. Model. 58 (2018)
1736; weights and network of the package `fcd_torch`; taken over the set of distinct SMILES as in
Huang et al., "Learning Joint 2D & 3D Diffusion Models for Complete Molecule Generation" (JODO),
arXiv 2305.12347. docs/protocols.md says where the two differ.

Shapes: S molecules, D = 512 activations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.generation.metrics import edm
from assay.generation.metrics.protocol import (
    LEAST,
    Reference,
    Scoring,
    ScoringProtocol,
    estimated,
    missing,
    require,
)
from assay.generation.metrics.reference import kept
from assay.statistics.intervals import linearised
from assay.store.packed import Split
from assay.task import Estimate

_AT_ONCE = 256
_NEGLIGIBLE = 1e-9
"""Of the largest eigenvalue: directions in which the samples do not vary."""


@dataclass(frozen=True)
class Gaussian:
    """What is fitted to activations."""

    mean_D: NDArray[np.float64]
    covariance_DD: NDArray[np.float64]

    @classmethod
    def fitted(cls, activations_SD: NDArray[np.float32]) -> "Gaussian":
        """Fit to S ≥ 2 molecules, in float64, with S - 1 in the denominator."""
        precise_SD = activations_SD.astype(np.float64)
        return cls(precise_SD.mean(axis=0), np.cov(precise_SD, rowvar=False))


class FCD(ScoringProtocol[Molecules]):
    """The distance of the distinct valid molecules from the test split's."""

    name: ClassVar[str] = "fcd"
    version: ClassVar[str] = "1"
    data_row: ClassVar[Split] = "validation"

    def lacks(self) -> str | None:
        """Return how to install fcd_torch where it is not."""
        return missing("fcd_torch", "metrics")

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return `fcd/fcd`; nothing without a reference, or below two distinct valid molecules."""
        require(self)
        if scoring.reference is None:
            return {}
        texts = distinct_smiles(scoring.samples, scoring.processes)
        if len(texts) < LEAST:
            return {}
        found_SD = activations(texts)
        reference = self._reference(scoring.reference, scoring.processes)
        value, influence_S = distance(found_SD, reference)
        interval = linearised(value, influence_S, least=0.0, seed=scoring.seed)
        return {"fcd/fcd": estimated(self, value, interval, len(texts), "lower")}

    def _reference(self, reference: Reference[Molecules], processes: int) -> Gaussian:
        def compute() -> dict[str, NDArray]:
            texts = distinct_smiles(reference.of("test"), processes)
            if len(texts) < LEAST:
                raise DataError(f"{reference.name}: has too few valid molecules in its test split")
            fitted = Gaussian.fitted(activations(texts))
            return {"mean": fitted.mean_D, "covariance": fitted.covariance_DD}

        arrays = kept(reference, f"fcd-{self.version}-rdkit{rdBase.rdkitVersion}", compute)
        return Gaussian(arrays["mean"], arrays["covariance"])


def distinct_smiles(molecules: Molecules, processes: int = 1) -> list[str]:
    """Return the distinct SMILES of the valid molecules (`edm.smiles`), sorted.

    Hydrogens are implied, as ChemNet was trained; there is no stereochemistry in a looked-up bond.
    """
    found = set()
    with rdBase.BlockLogs():
        for text in frozenset(edm.smiles(molecules, processes)) - {None}:
            molecule = Chem.MolFromSmiles(text)
            if molecule is not None:
                found.add(Chem.MolToSmiles(molecule))
    return sorted(found)


def activations(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return (S, D) what ChemNet's last hidden layer makes of canonical SMILES, on the CPU."""
    import fcd_torch
    import torch
    from fcd_torch.utils import SmilesDataset

    network = fcd_torch.FCD(device="cpu", canonize=False).model
    features = SmilesDataset(texts, canonize=False)
    parts = []
    with torch.no_grad():
        for begin in range(0, len(texts), _AT_ONCE):
            rows = range(begin, min(begin + _AT_ONCE, len(texts)))
            one_hot = torch.from_numpy(np.stack([features[row] for row in rows]))
            parts.append(network(one_hot.transpose(1, 2).float()).numpy())
    return np.concatenate(parts)


def distance(
    activations_SD: NDArray[np.float32], reference: Gaussian
) -> tuple[float, NDArray[np.float64]]:
    """Return the Fréchet distance and each molecule's influence on it.

    |m - m'|² + Tr(C + C' - 2 (C C')^½), where Tr (C C')^½ is the sum of the roots of the
    eigenvalues of R C R, with R² = C'. Its derivative by C is ½ R (R C R)^-½ R.

    Args:
        activations_SD: of S ≥ 2 samples.
        reference: m' and C'.
    """
    fitted = Gaussian.fitted(activations_SD)
    root_DD = _root(reference.covariance_DD)
    squares_D, axes_DD = np.linalg.eigh(root_DD @ fitted.covariance_DD @ root_DD)
    roots_D = np.sqrt(squares_D.clip(min=0))
    shift_D = fitted.mean_D - reference.mean_D
    traces = np.trace(fitted.covariance_DD) + np.trace(reference.covariance_DD)
    value = float(shift_D @ shift_D + traces - 2 * roots_D.sum())

    varies = squares_D > _NEGLIGIBLE * squares_D.max()
    inverse_D = np.divide(1.0, roots_D, out=np.zeros_like(roots_D), where=varies)
    transport_DD = root_DD @ (axes_DD * inverse_D) @ axes_DD.T @ root_DD
    offset_SD = activations_SD - fitted.mean_D
    spread_S = np.einsum("sd,sd->s", offset_SD - offset_SD @ transport_DD, offset_SD)
    return max(value, 0.0), 2 * offset_SD @ shift_D + spread_S


def _root(covariance_DD: NDArray[np.float64]) -> NDArray[np.float64]:
    squares_D, axes_DD = np.linalg.eigh(covariance_DD)
    return (axes_DD * np.sqrt(squares_D.clip(min=0))) @ axes_DD.T
