"""The gap between the highest occupied and the lowest unoccupied orbital, and who judges it.

It is known of molecules that quantum chemistry has computed; of a sample, a judge must tell it. As
in EDM (Hoogeboom et al., ICML 2022, section 5.2), judge and generator learn from disjoint parts of
the training split, so that the judge cannot favour what both have seen. The judge is
kernel ridge regression on counted fingerprints of the molecule that EDM's protocol sees. How far it
errs on real molecules is the data's own row: no sample can be known to be nearer than that.

Shapes: T molecules that the judge learns from, M samples, F counts of a fingerprint.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator
from scipy.linalg import cho_factor, cho_solve

from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError
from assay.generation.data.qm9_gap import GAPS
from assay.generation.domain import Domain
from assay.generation.metrics import edm
from assay.generation.metrics.reference import kept
from assay.generation.properties.property import Property
from assay.store.packed import PackedSet

MOST_JUDGES = 10_000
"""Of at most half of the training molecules whose gap is known: their kernel takes 0.8 GB."""
COUNTS, RADIUS = 2048, 2
LENGTH, RIDGE = 25.0, 1e-3
"""Of the kernel exp(-|x - y| / length), and what is added to its diagonal. Neither is critical:
half or twice the length changes the error by at most 4 %, ten times the ridge by 1 %."""


class Gap(Property[Molecules]):
    """In eV."""

    name = "gap"
    unit = "eV"
    version = f"1 edm {edm.VERSION}"
    kinds = ("molecules",)

    def __init__(self, domain: Domain[Molecules]) -> None:
        """Read the gaps that are known.

        Raises:
            ConfigError: the data set holds none.
        """
        super().__init__(domain)
        data = domain.prepared
        if not isinstance(data, PackedSet) or GAPS not in data.arrays:
            raise ConfigError(
                f"settings.conditions: {data.name} knows no gaps; name a set that does, such as "
                "qm9_gap"
            )
        self._gaps_R = np.asarray(data.arrays[GAPS], dtype=np.float64)
        known = np.flatnonzero(np.isfinite(self._gaps_R) & (data.arrays["split"] == 0))
        shuffled = np.random.default_rng(0).permutation(known)
        self.held_out = np.sort(shuffled[: min(len(known) // 2, MOST_JUDGES)])
        """(T,) training records that only the judge learns from."""

    def asked(self) -> NDArray[np.float64]:
        """Return (R, 1) of every record, nan where it is not known."""
        return self._gaps_R[:, None]

    def of(self, samples: Molecules) -> NDArray[np.float64]:
        """Return (M, 1) what the judge says; nothing of a molecule that is not valid."""
        return self._judge(samples)[:, None]

    @cached_property
    def _judge(self) -> "_Judge":
        def learn() -> dict[str, NDArray]:
            judges = self.held_out
            return _learnt(self.domain.records.select(judges), self._gaps_R[judges])

        return _Judge(**kept(self.domain.reference, self.file_name("-judge"), learn))


class _Judge:
    """Kernel ridge regression, as it was learnt."""

    def __init__(self, counts: NDArray, weights: NDArray, mean: NDArray) -> None:
        self.counts_TF, self.weights_T, self.mean = counts, weights, float(mean)

    def __call__(self, molecules: Molecules) -> NDArray[np.float64]:
        valid, counts_VF = _fingerprints(molecules)
        found_M = np.full(len(molecules), np.nan)
        found_M[valid] = _kernel(counts_VF, self.counts_TF) @ self.weights_T + self.mean
        return found_M


def _learnt(molecules: Molecules, gaps_T: NDArray[np.float64]) -> dict[str, NDArray]:
    valid, counts_VF = _fingerprints(molecules)
    gaps_V = gaps_T[valid]
    kernel_VV = _kernel(counts_VF, counts_VF)
    kernel_VV[np.diag_indices(len(gaps_V))] += RIDGE
    weights_V = cho_solve(cho_factor(kernel_VV, overwrite_a=True), gaps_V - gaps_V.mean())
    return {"counts": counts_VF, "weights": weights_V, "mean": np.array(gaps_V.mean())}


def _kernel(one_MF: NDArray, other_TF: NDArray) -> NDArray[np.float64]:
    one_MF, other_TF = one_MF.astype(np.float32), other_TF.astype(np.float32)
    kernel_MT = (one_MF @ other_TF.T).astype(np.float64)  # in place: of 10,000 it is large
    kernel_MT *= -2.0
    kernel_MT += np.square(one_MF).sum(1)[:, None]
    kernel_MT += np.square(other_TF).sum(1)
    np.sqrt(kernel_MT.clip(min=0.0, out=kernel_MT), out=kernel_MT)
    kernel_MT /= -LENGTH
    return np.exp(kernel_MT, out=kernel_MT)


def _fingerprints(molecules: Molecules) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return which molecules are valid, and (V, F) counts of their atom pairs and environments."""
    texts = edm.smiles(molecules, processes=1)
    with rdBase.BlockLogs():
        read = [None if text is None else Chem.MolFromSmiles(text) for text in texts]
    valid = np.flatnonzero([molecule is not None for molecule in read])
    counts = [_counts(molecule) for molecule in read if molecule is not None]
    return valid, np.array(counts, dtype=np.uint8).reshape(len(valid), 2 * COUNTS)


def _counts(molecule: Chem.Mol) -> NDArray[np.uint8]:
    parts = [maker.GetCountFingerprintAsNumPy(molecule) for maker in _MAKERS]
    return np.concatenate(parts).clip(max=255).astype(np.uint8)


_MAKERS: Sequence[Any] = (
    rdFingerprintGenerator.GetAtomPairGenerator(fpSize=COUNTS),
    rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=COUNTS),
)
