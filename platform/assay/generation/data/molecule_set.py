"""What the catalogued sets of molecules have in common."""

from collections.abc import Mapping

from numpy.typing import NDArray

from assay.store.packed import PackedSet
from assay.store.sets import DataSet, Watch


class MoleculeSet(DataSet):
    """A data set of molecules."""

    kind = "molecules"

    def about_train(self, packed: PackedSet, watch: Watch) -> Mapping[str, NDArray]:
        """Return the keys of the training SMILES: novelty is judged against them."""
        from assay.generation.metrics.known import about_train

        return about_train(packed, watch)
