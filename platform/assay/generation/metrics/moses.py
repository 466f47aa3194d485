"""MOSES: how like the molecules are to the reference's, and how unlike to each other.

Source: Polykovskiy et al., "Molecular Sets (MOSES): A Benchmarking Platform for Molecular
Generation Models", Frontiers in Pharmacology 11 (2020) 565644, section 3.2, and its public code,
restated. It judges molecules as graphs: here the SMILES of the valid ones (`edm.smiles`), each as
often as it was sampled. docs/protocols.md says where it departs.

Shapes: S samples, T molecules of the reference's test split, F bits, K kinds.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase

from assay.chemistry.molecules import Molecules
from assay.errors import DataError
from assay.generation.metrics import edm
from assay.generation.metrics.descriptors import Description, counted, describe, unpacked
from assay.generation.metrics.distances import (
    Compared,
    cosine,
    internal_diversity,
    nearest_similarities,
    wasserstein,
)
from assay.generation.metrics.protocol import (
    LEAST,
    Better,
    Reference,
    Scoring,
    ScoringProtocol,
    estimated,
    mean_of,
    require,
    share,
)
from assay.generation.metrics.reference import kept
from assay.statistics.intervals import linearised
from assay.store.packed import Split
from assay.task import Estimate

_PROPERTIES = ("qed", "sa", "logp")


class MOSES(ScoringProtocol[Molecules]):
    """Distribution metrics of molecular graphs."""

    name: ClassVar[str] = "moses"
    version: ClassVar[str] = "1"
    data_row: ClassVar[Split] = "validation"

    def lacks(self) -> str | None:
        """Return how to get RDKit's contributed scorer where a distribution left it out."""
        if find_spec("rdkit.Contrib.SA_Score") is not None:
            return None
        return "this RDKit lacks Contrib/SA_Score; run `pip install --force-reinstall rdkit`"

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return the estimates; without a reference those that need none; of one molecule, none.

        Means are resampled; distances, likenesses and diversity are `linearised`. Coverage is
        Wilson's, over the reference's scaffolds: whether one is hit is no independent trial, but
        hits exclude each other, so their number varies no more than the binomial says.
        """
        require(self)
        found = _described(scoring.samples, scoring.processes)
        if len(found) < LEAST:
            return {}
        estimates = self._alone(found, scoring.seed)
        if scoring.reference is not None:
            reference = self._reference(scoring.reference, scoring.processes)
            estimates |= self._against(found, reference, scoring.seed)
        return {f"{self.name}/{metric}": estimate for metric, estimate in estimates.items()}

    def _alone(self, found: Sequence[Description], seed: int) -> dict[str, Estimate]:
        diversity = internal_diversity(_bits(unpacked([one.fingerprint for one in found])))
        return {
            "qed": self._mean(_property(found, "qed"), "higher", seed),
            "sa": self._mean(_property(found, "sa"), "lower", seed),
            "internal_diversity": self._smooth(diversity, "higher", seed, most=1.0),
        }

    def _against(
        self, found: Sequence[Description], reference: Mapping[str, NDArray], seed: int
    ) -> dict[str, Estimate]:
        estimates = {}
        for name in _PROPERTIES:
            moved = wasserstein(_property(found, name), reference[name])
            estimates[f"{name}_wasserstein"] = self._smooth(moved, "lower", seed)
        ours_SF = _bits(unpacked([one.fingerprint for one in found]))
        nearest_S = nearest_similarities(ours_SF, _bits(reference["fingerprints"]))
        estimates["snn"] = self._mean(nearest_S, "higher", seed)
        fragments, scaffolds = [one.fragments for one in found], _scaffolds(found)
        for name, groups in (("fragments", fragments), ("scaffolds", scaffolds)):
            if len(reference[name]):
                alike = _likeness(groups, reference[name], reference[f"{name}_count"])
                estimates[name] = self._smooth(alike, "higher", seed, most=1.0)
        if len(reference["scaffolds"]):
            estimates["scaffold_coverage"] = self._coverage(scaffolds, reference["scaffolds"])
        return estimates

    def _reference(self, reference: Reference[Molecules], processes: int) -> Mapping[str, NDArray]:
        def compute() -> dict[str, NDArray]:
            found = _described(reference.of("test"), processes)
            if not found:
                raise DataError(f"{reference.name}: has no valid molecule in its test split")
            arrays: dict[str, NDArray] = {name: _property(found, name) for name in _PROPERTIES}
            arrays["fingerprints"] = unpacked([one.fingerprint for one in found])
            fragments = [one.fragments for one in found]
            for name, groups in (("fragments", fragments), ("scaffolds", _scaffolds(found))):
                arrays[name], arrays[f"{name}_count"] = counted(groups)
            return arrays

        return kept(reference, f"moses-{self.version}-rdkit{rdBase.rdkitVersion}", compute)

    def _mean(self, values_S: NDArray[np.float64], better: Better, seed: int) -> Estimate:
        return mean_of(values_S, self.version, better, seed)

    def _smooth(
        self, compared: Compared, better: Better, seed: int, most: float = np.inf
    ) -> Estimate:
        value, influence_S = compared.value, compared.influence
        interval = linearised(value, influence_S, least=0.0, most=most, seed=seed)
        return estimated(self, value, interval, len(influence_S), better)

    def _coverage(self, scaffolds: Sequence[Sequence[str]], theirs_K: NDArray) -> Estimate:
        ours = {name for group in scaffolds for name in group}
        hit = sum(name in ours for name in theirs_K.tolist())
        return share(self, hit, len(theirs_K))


def _described(molecules: Molecules, processes: int) -> list[Description]:
    texts = [text for text in edm.smiles(molecules, processes) if text is not None]
    return [one for one in describe(texts, processes) if one is not None]


def _property(found: Sequence[Description], name: str) -> NDArray[np.float64]:
    return np.array([getattr(one, name) for one in found], dtype=np.float64)


def _scaffolds(found: Sequence[Description]) -> list[list[str]]:
    return [[] if one.scaffold is None else [one.scaffold] for one in found]


def _bits(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.unpackbits(packed, axis=1)


def _likeness(
    groups: Sequence[Sequence[str]], theirs: NDArray, theirs_count: NDArray[np.int64]
) -> Compared:
    """Compare the counts of the names that samples have with the reference's."""
    names = sorted({name for group in groups for name in group} | set(theirs.tolist()))
    place = {name: k for k, name in enumerate(names)}
    rows = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    columns = np.array([place[name] for group in groups for name in group], dtype=np.int64)
    reference_K = np.zeros(len(names), dtype=np.int64)
    reference_K[[place[name] for name in theirs.tolist()]] = theirs_count
    return cosine(rows, columns, len(groups), reference_K)
