"""QM9: 130,831 characterised molecules of up to nine heavy atoms, with the EDM split.

Geometries are B3LYP/6-31G(2df,p) minima in Å (Ramakrishnan, Dral, Rupp and von Lilienfeld,
Scientific Data 1, 140022, 2014). The split is that of Anderson, Hy and Kondor (Cormorant, NeurIPS
2019) and of EDM (Hoogeboom et al., ICML 2022): a permutation with numpy's seed 0.
"""

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.checks import check_molecules
from assay.errors import DataError
from assay.generation.data import qm9_files
from assay.generation.data.molecule_set import MoleculeSet
from assay.generation.data.qm9_files import NUMBERS, RECORDS, Collection
from assay.redact import without_secrets
from assay.store.fetch import fetch
from assay.store.locations import cache_root
from assay.store.sets import Built, Watch, is_url

ARCHIVE = "dsgdb9nsd.xyz.tar.bz2"
ARCHIVE_URL = "https://ndownloader.figshare.com/files/3195389"
ARCHIVE_SHA256 = "3a63848ac80691bdb8d41834b575afad345b9300d7a2db0c38adb7f6eaa8360c"

UNCHARACTERISED = "uncharacterized.txt"
UNCHARACTERISED_URL = "https://ndownloader.figshare.com/files/3195404"
UNCHARACTERISED_SHA256 = "3aa5115d540b356de94791d4a74c3bf1ed91c469ecf52a4f5d7cc0506fe02e24"
UNCHARACTERISED_TABLE = "qm9_uncharacterized_3054.csv.gz"
UNCHARACTERISED_IDS_SHA256 = "606b5d5ad5aef2c634d24638e65332d459384b3d848d97e5230bb9135ff19550"
"""Of the 3,054 ids, ascending, as little-endian int32."""

CHARACTERISED = 130_831
TRAIN, VALIDATION, TEST = 100_000, 17_748, 13_083

_NAMES = {"H": "hydrogen", "C": "carbon", "N": "nitrogen", "O": "oxygen", "F": "fluorine"}


class QM9Set(MoleculeSet):
    """QM9 from upstream, from a local copy of it, or from packed arrays."""

    name = "qm9"
    title = "QM9: small organic molecules, DFT geometries"
    licence = "CC0-1.0"
    citation = "Ramakrishnan et al., Scientific Data 1, 140022 (2014), doi:10.1038/sdata.2014.22"
    version = 1
    upstream = ARCHIVE_URL

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and label the characterised molecules of `source`.

        Args:
            source: A URL of the original archive; or a path: the archive, a folder of its xyz
                files, an SDF such as gdb9.sdf, or a folder with `qm9_structures.npz`. The list of
                uncharacterised molecules is looked for beside it, then upstream.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable, corrupt or absurd.
        """
        collection = labelled(source, watch)
        return Built(arrays_of(collection), describe(collection))


QM9 = QM9Set()


def labelled(source: str, watch: Watch) -> Collection:
    """Return the characterised molecules of a source with their split, checked.

    Raises:
        DataError: as `QM9Set.build`.
    """
    if is_url(source):
        path = fetch(source, ARCHIVE_SHA256, _downloads() / ARCHIVE, watch)
    else:
        path = Path(source)
    collection = read(path, watch)
    if collection.split is None:
        excluded = uncharacterised_ids(path if path.is_dir() else path.parent, watch)
        collection = label(collection, excluded)
    if is_url(source) and len(collection.gdb_ids) != CHARACTERISED:
        raise DataError(
            f"{without_secrets(source)}: {len(collection.gdb_ids):,} characterised molecules, "
            f"expected {CHARACTERISED:,}; get it anew"
        )
    watch("check", 0.0)
    check_molecules(collection.molecules, collection.gdb_ids, str(collection.path))
    return collection


def read(path: Path, watch: Watch) -> Collection:
    """Read QM9 in whichever of its forms `path` is.

    Raises:
        DataError: the path is missing, of no known form, or malformed.
    """
    if path.is_dir():
        if (path / "qm9_structures.npz").exists():
            return qm9_files.read_arrays(path)
        if (path / ARCHIVE).exists():
            return qm9_files.read_archive(path / ARCHIVE, watch)
        if (path / "gdb9.sdf").exists():
            return qm9_files.read_sdf(path / "gdb9.sdf", watch)
        if next(path.glob("dsgdb9nsd_*.xyz"), None):
            return qm9_files.read_xyz_folder(path, watch)
        raise DataError(
            f"{path}: holds neither {ARCHIVE}, dsgdb9nsd_*.xyz, gdb9.sdf nor qm9_structures.npz"
        )
    if path.suffix == ".sdf":
        return qm9_files.read_sdf(path, watch)
    if path.name.endswith((".tar", ".tar.bz2", ".tar.gz", ".tgz")):
        return qm9_files.read_archive(path, watch)
    raise DataError(
        f"{path}: expected {ARCHIVE}, a folder of dsgdb9nsd_*.xyz, an .sdf, or a folder with "
        f"qm9_structures.npz"
    )


def uncharacterised_ids(folder: Path, watch: Watch) -> NDArray[np.int64]:
    """Return the 3,054 ids that failed the authors' consistency check, ascending.

    The list is taken from `folder` (the original text, or a table with a column gdb_id), else
    fetched from upstream.

    Raises:
        DataError: no list can be had, or it is not the published one.
    """
    path = next(
        (folder / n for n in (UNCHARACTERISED, UNCHARACTERISED_TABLE) if (folder / n).exists()),
        None,
    )
    if path is None:
        try:
            path = fetch(
                UNCHARACTERISED_URL,
                UNCHARACTERISED_SHA256,
                _downloads() / UNCHARACTERISED,
                watch,
            )
        except DataError as error:
            raise DataError(f"{error}; or put {UNCHARACTERISED} into {folder}") from error
    ids = np.unique(_ids_of(path))
    if hashlib.sha256(ids.astype("<i4").tobytes()).hexdigest() != UNCHARACTERISED_IDS_SHA256:
        raise DataError(f"{path}: is not the published list of 3,054 molecules; get it anew")
    return ids


def edm_split(
    gdb_ids: NDArray[np.integer], uncharacterised: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Return (M,) the EDM split of characterised molecules: 0 train, 1 validation, 2 test.

    The permutation is of all 130,831 of them, so that a subset keeps everybody's labels.
    """
    characterised = np.setdiff1d(np.arange(1, RECORDS + 1), uncharacterised)
    order = np.random.RandomState(0).permutation(len(characterised))
    labels = np.empty(len(characterised), dtype=np.uint8)
    for code, part in enumerate(np.split(order, [TRAIN, TRAIN + VALIDATION])):
        labels[part] = code
    return labels[np.searchsorted(characterised, gdb_ids)]


def label(collection: Collection, uncharacterised: NDArray[np.integer]) -> Collection:
    """Return the characterised molecules with their split.

    Raises:
        DataError: none is left.
    """
    kept = np.flatnonzero(~np.isin(collection.gdb_ids, uncharacterised))
    if not len(kept):
        raise DataError(f"{collection.path}: every molecule is on the list of uncharacterised ones")
    ids = collection.gdb_ids[kept]
    molecules = collection.molecules.select(kept)
    gaps_ev = None if collection.gaps_ev is None else collection.gaps_ev[kept]
    split = edm_split(ids, uncharacterised)
    return Collection(collection.path, ids, molecules, split, gaps_ev)


def describe(collection: Collection) -> str:
    """Say in one line which molecules of QM9 these are."""
    count = len(collection.gdb_ids)
    counts = np.bincount(np.asarray(collection.split), minlength=3)
    found = "all" if count == CHARACTERISED else f"{count:,} of the"
    present = np.unique(collection.molecules.numbers)
    absent = [_NAMES[symbol] for symbol, number in NUMBERS.items() if number not in present]
    without = f" no {' or '.join(absent)};" if absent else ""
    parts = " / ".join(f"{part:,}" for part in counts)
    return (
        f"{found} {CHARACTERISED:,} characterised molecules of QM9;{without} EDM split "
        f"{parts} (train / validation / test)"
    )


def arrays_of(collection: Collection) -> dict[str, NDArray]:
    """Return what is packed of them."""
    return {
        "positions": collection.molecules.positions,
        "numbers": collection.molecules.numbers,
        "offsets": collection.molecules.offsets,
        "ids": collection.gdb_ids,
        "split": np.asarray(collection.split),
    }


def _ids_of(path: Path) -> NDArray[np.int64]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                ids = [int(row["gdb_id"]) for row in csv.DictReader(file)]
        else:
            # A heading and rules surround the table, whose first column is the id.
            words = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
            ids = [int(row[0]) for row in words if row and row[0].isdigit()]
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a list of ids ({error})") from error
    return np.array(ids, dtype=np.int64)


def _downloads() -> Path:
    return cache_root() / "downloads"
