"""What models are held against, scored by the code that scores them, once for a folder."""

from pathlib import Path
from typing import Any

from assay import catalog
from assay.cell import Cell
from assay.result import Reference, read_reference, write_json
from assay.store import sets


def cached_reference(folder: Path, cell: Cell) -> Reference | None:
    """Return the row in `folder` if it is of this data under the present protocol."""
    found = read_reference(folder)
    return found if found is not None and found.provenance == _identity(cell) else None


def compute_reference(cell: Cell) -> Reference:
    """Score what a cell is held against, on a split that it was not trained on.

    Raises:
        DataError: the data is not that of the cell.
    """
    sets.require_digest(sets.prepare(cell.data.name), cell.data.digest)
    task = catalog.family(cell.family)(cell)
    return Reference(
        name=task.reference_name,
        label=f"{cell.data.name}, {task.reference_split(cell.model_dump(mode='json'))} split",
        estimates=task.reference(task.data()),
        provenance=_identity(cell),
    )


def write_reference(folder: Path, reference: Reference) -> None:
    """Keep the row in a folder."""
    write_json(folder / "reference.json", reference)


def reference_for(cell: Cell, storage: Path) -> Reference:
    """Return the row of a cell's data set, kept in the run store from the first time on."""
    folder = storage / "references" / cell.data.digest[:16]
    reference = cached_reference(folder, cell)
    if reference is None:
        reference = compute_reference(cell)
        write_reference(folder, reference)
    return reference


def _identity(cell: Cell) -> dict[str, Any]:
    plain = cell.model_dump(mode="json")
    family = catalog.family(cell.family)
    identity = {
        "data": cell.data.name,
        "data_digest": cell.data.digest,
        "protocol": family.protocol_of(plain),
        **family.reference_settings(plain),
    }
    split, count = family.reference_split(plain), family.reference_records(plain)
    if count is not None:
        identity |= {"split": split, "samples": count}
    elif split != "test":
        identity["split"] = split
    return identity
