"""What the catalogued sets of pathways have in common."""

from pathlib import Path

from assay.errors import DataError
from assay.store.sets import DataSet, is_url


class PathwaySet(DataSet):
    """A data set of directed metabolic graphs."""

    kind = "pathways"


def folder_of(data_set: PathwaySet, source: str) -> Path:
    """Return the folder `source`.

    Raises:
        DataError: it is a URL: what is read was made from the published files, not published as is.
    """
    if is_url(source):
        raise DataError(
            f"{data_set.name}: is read from a folder; set ASSAY_DATA to the one that holds "
            f"{data_set.folder}, or give that with --source"
        )
    return Path(source)
