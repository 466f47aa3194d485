"""QM9 with the gap between frontier orbitals, of those molecules for which a source has it.

The same molecules and the same split as `qm9`, in a set of its own: its digest then says which gaps
a cell has seen, and that of `qm9` stays what it is.
"""

import numpy as np

from assay.errors import DataError
from assay.generation.data import qm9
from assay.generation.data.qm9 import QM9Set
from assay.generation.data.qm9_files import TABLE, read_gaps
from assay.store.sets import Built, Watch

GAPS = "gap_ev"
"""The packed array: (M,) float32 eV, nan where it is not known."""


class QM9GapSet(QM9Set):
    """QM9 from the archive, whose records name 15 properties, or from packed arrays and a table."""

    name = "qm9_gap"
    title = "QM9 with HOMO-LUMO gaps, where they are known"
    folder = "qm9"

    def build(self, source: str, watch: Watch) -> Built:
        """Read molecules and gaps; `source` as of QM9.

        Raises:
            DataError: as of QM9, or the source has no gaps.
        """
        collection = qm9.labelled(source, watch)
        gaps_ev, table = collection.gaps_ev, collection.path.parent / TABLE
        if gaps_ev is None and table.exists():
            gaps_ev = read_gaps(table, collection.gdb_ids)
        known = 0 if gaps_ev is None else int(np.isfinite(gaps_ev).sum())
        if gaps_ev is None or not known:
            raise DataError(
                f"{collection.path}: has no gaps; take the archive {qm9.ARCHIVE}, or put "
                f"{TABLE} beside the arrays"
            )
        arrays = {**qm9.arrays_of(collection), GAPS: gaps_ev}
        return Built(arrays, f"{qm9.describe(collection)}; gap known of {known:,}")


QM9_GAP = QM9GapSet()
