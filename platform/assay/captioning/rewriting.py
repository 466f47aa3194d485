"""The same molecules written otherwise: what is said of one is not to hang on how it is spelt.

    canonical     RDKit's canonical SMILES
    randomised    a random order of atoms, a function of the record alone
    kekulised     canonical, with single and double bonds in the place of aromatic ones

The graph is made anew of what is written: a model that reads graphs is tested, not excused.
Source: Ganeeva et al., "Lost in translation: chemical language models and the misunderstanding of
molecule structures", Findings of EMNLP 2024.

Shapes: B records of a batch.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.captioning.data.captions import CaptionBatch, CaptionRecords
from assay.captioning.graphs import Graphs
from assay.training.draws import fold

Writing = Literal["canonical", "randomised", "kekulised"]


class RewrittenRecords:
    """A split whose molecules are written otherwise, as `assay.task.Records`."""

    def __init__(self, records: CaptionRecords, writing: Writing) -> None:
        """Write all molecules of a split, and make their graphs."""
        self._records = records
        smiles = records.smiles
        self._smiles = [rewritten(one, writing, place) for place, one in enumerate(smiles)]
        self._graphs = Graphs.of(self._smiles)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(len,) atoms of each molecule."""
        return self._records.lengths

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> CaptionBatch:
        """Return the records at `indices` (B,) of the split, in that order."""
        smiles = tuple(self._smiles[place] for place in indices)
        return replace(
            self._records.batch(indices), smiles=smiles, graphs=self._graphs.batch(indices)
        )


def rewritten(smiles: str, writing: Writing, place: int = 0) -> str:
    """Return SMILES of the same molecule.

    Args:
        smiles: That parse.
        writing: How.
        place: Of the molecule in its split, which a random order is of.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():  # what it warns of was packed all the same
        molecule = Chem.MolFromSmiles(smiles)
    if writing == "canonical":
        return Chem.MolToSmiles(molecule)
    if writing == "kekulised":
        return Chem.MolToSmiles(molecule, kekuleSmiles=True)
    seed = 1 + fold(0, "randomised SMILES", place) % (2**31 - 2)  # RDKit takes 0 for none
    return Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]
