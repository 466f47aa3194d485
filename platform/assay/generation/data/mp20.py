"""MP-20: 45,229 crystals of the Materials Project with up to 20 atoms a cell, with CDVAE's split.

Jain et al., "Commentary: The Materials Project", APL Materials 1, 011002 (2013); selected and split
by Xie et al., "Crystal diffusion variational autoencoder for periodic material generation", ICLR
2022. Cells are Niggli-reduced, as there: those of the published files as they are, of which one in
fifty is a multiple of the primitive cell, or, of the packed arrays, primitive ones.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from assay.chemistry.crystal_checks import check_crystals
from assay.chemistry.lattices import niggli_reduced
from assay.errors import DataError
from assay.generation.data import mp20_files
from assay.generation.data.mp20_files import PACKED, PARTS, Collection
from assay.store.fetch import fetch
from assay.store.locations import cache_root
from assay.store.packed import SPLITS
from assay.store.sets import Built, DataSet, Watch, is_url

COMMIT = "f857f598d6f6cca5dc1ea0582d228f12dcc2c2ea"
UPSTREAM = f"https://raw.githubusercontent.com/txie-93/cdvae/{COMMIT}/data/mp_20"
"""A folder of train.csv, val.csv and test.csv. Nobody publishes their checksums: what is pinned is
which materials they must hold, in which split."""

COUNTS = (27_136, 9_047, 9_046)
IDS_SHA256 = (
    "b6ef6478f917a91bfe8e68cdac6873c56f57d8db37c2430062190212cebe65e5",
    "2640d907cf735ad98ea6c6742ae23b278a4602356c8039395c8ba72124a84670",
    "6f70ecaa7fd60bbdf0452d62332ec53790de2ebfa5b57f9efdf6f92e2ec7de25",
)
"""Of the ids of train, validation and test, ascending, as little-endian int64 (`number_of`)."""


class MP20Set(DataSet):
    """MP-20 from upstream, from a local copy of it, or from packed arrays."""

    name = "mp20"
    title = "MP-20: inorganic crystals of up to 20 atoms a cell, DFT geometries"
    licence = "CC-BY-4.0"
    citation = (
        "Jain et al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323; "
        "Xie et al., ICLR 2022 (CDVAE)"
    )
    kind = "crystals"
    version = 1
    upstream = UPSTREAM

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check, reduce and pack the crystals of `source`.

        Args:
            source: A URL under which train.csv, val.csv and test.csv lie; a folder with them; or
                `mp20.npz`, or a folder with it, which may lack training crystals.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable, corrupt or absurd, or holds other
                materials than MP-20.
            MachineError: pymatgen or spglib is not installed.
        """
        collection = _fetched(source, watch) if is_url(source) else _local(Path(source), watch)
        watch("check", 0.0)
        check_crystals(collection.crystals, collection.ids, str(collection.path))
        watch("reduce", 0.0)
        crystals = niggli_reduced(collection.crystals)
        arrays = {
            "frac_coords": crystals.frac_coords,
            "numbers": crystals.numbers,
            "offsets": crystals.offsets,
            "lattices": crystals.lattices,
            "ids": collection.ids,
            "split": collection.split,
            "formation_energy_per_atom": collection.formation_energy,
            "band_gap": collection.band_gap,
        }
        return Built(arrays, describe(collection))


MP20 = MP20Set()


def read(path: Path, watch: Watch) -> Collection:
    """Read MP-20 in whichever of its forms `path` is.

    Raises:
        DataError: the path is missing, of no known form, or malformed.
    """
    if path.is_file() and path.suffix == ".npz":
        return mp20_files.read_arrays(path)
    if (path / PACKED).exists():
        return mp20_files.read_arrays(path / PACKED)
    if all((path / name).exists() for name in PARTS):
        return mp20_files.read_tables(path, watch)
    raise DataError(
        f"{path}: expected {PACKED}, or a folder with it or with {', '.join(PARTS)} of CDVAE"
    )


def require_published(collection: Collection) -> None:
    """Refuse what is not MP-20 in its published split, but for absent training crystals.

    Raises:
        DataError: names the split that differs.
    """
    for code, (split, count, expected) in enumerate(zip(SPLITS, COUNTS, IDS_SHA256, strict=True)):
        ids = np.sort(collection.ids[collection.split == code])
        if split == "train" and 0 < len(ids) < count:
            continue
        found = hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest()
        if found != expected:
            raise DataError(
                f"{collection.path}: its {len(ids):,} {split} crystals are not the {count:,} "
                "published ones; get it anew"
            )


def describe(collection: Collection) -> str:
    """Say in one line which crystals of MP-20 these are."""
    count, published = len(collection.ids), sum(COUNTS)
    parts = " / ".join(f"{part:,}" for part in np.bincount(collection.split, minlength=len(SPLITS)))
    absent, anew = published - count, collection.relaxed_anew
    found = f"{count:,} of the {published:,}" if absent else f"all {published:,}"
    cells = "primitive Niggli cells" if collection.primitive else "Niggli cells"
    without = f" {absent:,} training crystals are absent;" if absent else ""
    relaxed = f" {anew:,} have coordinates relaxed anew by the Materials Project;" if anew else ""
    return (
        f"{found} crystals of MP-20, {cells};{without}{relaxed} CDVAE split {parts} "
        "(train / validation / test)"
    )


def _local(path: Path, watch: Watch) -> Collection:
    collection = read(path, watch)
    require_published(collection)
    return collection


def _fetched(url: str, watch: Watch) -> Collection:
    """Download the three files and read them; without checksums their content decides."""
    folder = cache_root() / "downloads" / f"mp20-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    base, mark, query = url.partition("?")
    for name in PARTS:
        fetch(f"{base.rstrip('/')}/{name}{mark}{query}", None, folder / name, watch)
    try:
        return _local(folder, watch)
    except DataError as error:
        shutil.rmtree(folder)
        raise DataError(f"{error}; what was downloaded is deleted: try again") from error
