"""Whether captions say of a molecule what its graph shows: groups, rings, chirality, charge.

A fluent caption of another molecule scores well under BLEU and badly here. `groups/precision` is
read between two floors that the same file gives: what the reference captions themselves reach (they
speak of parents, salts and drawings that differ), and what they reach of other molecules.

Shapes: S pairs with a graph, K columns that are summed.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from assay.captioning.metrics.claims import Claims, claims
from assay.captioning.metrics.group_catalog import GROUPS
from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found
from assay.captioning.metrics.resampling import Resamples
from assay.captioning.metrics.structure_claims import KINDS, Graph
from assay.statistics.intervals import clustered_fraction
from assay.task import Estimate

_NOTHING_SAID = "the captions make no such statement"


class Groups(CaptionProtocol):
    """Claims of captions, held against graphs."""

    name: ClassVar[str] = "groups"
    version = "1"

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return `groups/…`; what nothing was said about has no value, whatever the reason.

        A pair whose SMILES cannot be parsed is left out.
        """
        if pairs.molecules is None:
            return Found({}, {self.name: "needs smiles in every line"})
        readable = [k for k, molecule in enumerate(pairs.molecules) if molecule is not None]
        if not readable:
            return Found({}, {self.name: "no smiles can be parsed"})
        molecules = [pairs.molecules[k] for k in readable]
        predictions = [pairs.predictions[k] for k in readable]
        references = [pairs.references[k] for k in readable]
        if len(readable) < len(pairs):
            resamples = Resamples(len(readable))
        found = self._of_groups(predictions, references, molecules, resamples)
        found |= self._of_structure(predictions, molecules)
        return Found(
            {name: each for name, each in found.items() if each is not None},
            {name: _why(name) for name, each in found.items() if each is None},
        )

    def _of_groups(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        molecules: Sequence[Any],
        resamples: Resamples,
    ) -> dict[str, Estimate | None]:
        there = list(map(groups_of, molecules))
        said, wanted = list(map(claims, predictions)), list(map(claims, references))
        own_S2 = _counted(said, there)
        ceiling_S2 = _counted(wanted, there)
        chance_S2 = _counted(shuffled(wanted), there)
        recall_S2 = np.array([_recalled(*each) for each in zip(said, wanted, there, strict=True)])
        all_S6 = np.concatenate([own_S2, ceiling_S2, chance_S2], axis=1)
        return {
            "groups/precision": self._fraction(own_S2),
            "groups/precision_ceiling": self._fraction(ceiling_S2),
            "groups/precision_chance": self._fraction(chance_S2),
            "groups/precision_normalised": resamples.estimate(
                all_S6, _normalised, self.version, int(own_S2[:, 1].sum())
            ),
            "groups/recall": self._fraction(recall_S2),
            "groups/mentions": resamples.count(own_S2[:, 1], self.version),
        }

    def _of_structure(
        self, predictions: Sequence[str], molecules: Sequence[Any]
    ) -> dict[str, Estimate | None]:
        graphs = list(map(Graph, molecules))
        found = {}
        for kind, statements in KINDS.items():
            rows = []
            for caption, graph in zip(predictions, graphs, strict=True):
                held = [each.holds(graph) for each in statements(caption)]
                rows.append((sum(held), len(held)))
            found[f"groups/{kind}_precision"] = self._fraction(np.array(rows))
        return found

    def _fraction(self, columns_S2: NDArray[np.int64]) -> Estimate | None:
        """Return the share of claims that hold; those of a caption stand or fall together."""
        held_S, made_S = columns_S2[columns_S2[:, 1] > 0].T
        if not len(made_S):
            return None
        value = float(held_S.sum() / made_S.sum())
        low, high = clustered_fraction(held_S, made_S)
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=int(made_S.sum()),
            version=self.version,
            better="higher",
        )


def groups_of(molecule: Chem.Mol) -> frozenset[str]:
    """Return the keys of the groups that a molecule has."""
    return frozenset(key for key, pattern in _patterns() if molecule.HasSubstructMatch(pattern))


def atoms_of(molecule: Chem.Mol, groups: Collection[str]) -> list[int]:
    """Return the atoms, ascending, that some of the groups are made of."""
    matches = [
        match
        for key, pattern in _patterns()
        if key in groups
        for match in molecule.GetSubstructMatches(pattern)
    ]
    return sorted({atom for match in matches for atom in match})


def shuffled(captions: Sequence[Claims], seed: int = 0) -> list[Claims]:
    """Return captions such that each stands at another's place: one cycle through all, drawn.

    One caption alone has nowhere to go: what is left claims nothing.
    """
    if len(captions) < 2:
        return [Claims(frozenset(), frozenset()) for _ in captions]
    order = np.random.default_rng(seed).permutation(len(captions))
    moved = list(captions)
    for place, source in zip(order, np.roll(order, 1), strict=True):
        moved[place] = captions[source]
    return moved


def true_claims(said: Claims, there: frozenset[str]) -> int:
    """Return how many claims hold of a molecule with these groups."""
    return len(said.present & there) + len(said.absent - there)


def _counted(said: Sequence[Claims], there: Sequence[frozenset[str]]) -> NDArray[np.int64]:
    """Return (S, 2): claims that hold, and claims."""
    rows = [
        (true_claims(each, groups), len(each)) for each, groups in zip(said, there, strict=True)
    ]
    return np.array(rows, dtype=np.int64)


def _recalled(said: Claims, wanted: Claims, there: frozenset[str]) -> tuple[int, int]:
    """Return how many of the groups that the reference names, and the graph has, are named."""
    due = wanted.present & there
    return len(due & said.present), len(due)


def _ratio(sums_X2: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return sums_X2[:, 0] / sums_X2[:, 1]


def _normalised(sums_X6: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (own - chance) / (ceiling - chance); NaN where the references do no better."""
    own_X, ceiling_X, chance_X = (_ratio(sums_X6[:, k : k + 2]) for k in (0, 2, 4))
    room_X = np.where(ceiling_X > chance_X, ceiling_X - chance_X, np.nan)
    return (own_X - chance_X) / room_X


def _why(name: str) -> str:
    if name == "groups/precision_normalised":
        return "captions or references name no group, or references fit other molecules as well"
    return _NOTHING_SAID


@cache
def _patterns() -> tuple[tuple[str, Chem.Mol], ...]:
    return tuple((group.key, Chem.MolFromSmarts(group.pattern)) for group in GROUPS)
