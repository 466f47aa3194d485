"""Readers of the files in which ogbl-ddi is found: arrays with a table of drugs, or OGB's archive.

Shapes: V nodes, E edges, N pairs that are no edge, P drug-protein pairs.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.errors import DataError

ARRAYS, TABLE, PROTEINS = "edges.npz", "nodes.csv.gz", "drug_proteins.csv.gz"
PARTS = ("train_edge", "valid_edge", "test_edge", "valid_edge_neg", "test_edge_neg")
SPLIT = "split/target"
_MOST_BYTES = 1 << 30
MAPPING = "mapping/nodeidx2drugid.csv.gz"

_PICKLED: tuple[Any, ...] = (
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # pyright: ignore[reportAttributeAccessIssue]
    np._core.multiarray._reconstruct,  # pyright: ignore[reportAttributeAccessIssue]
    np.ndarray,
    np.dtype,
    type(np.dtype(np.int64)),
)
"""All that OGB's split files may name: torch reads them without running anything else."""


@dataclass(frozen=True)
class Links:
    """The graph as it was read, in its official order."""

    path: Path
    pairs: Mapping[str, NDArray[np.int64]]
    """By the names of `PARTS`, each (·, 2)."""
    drugs: list[str]
    """(V,) DrugBank ids."""
    smiles: list[str]
    """(V,) empty where the structure is not known."""
    study_smiles: list[str]
    """(V,) as an earlier table of structures had them."""
    proteins_P2: NDArray[np.int32]
    """Node and protein, each pair once, ascending; proteins are numbered by their UniProt ids."""


def read_links(path: Path) -> Links:
    """Read ogbl-ddi in whichever of its forms `path` is.

    Raises:
        DataError: the path is missing, of no known form, or malformed.
    """
    if (path / ARRAYS).exists():
        return _of_arrays(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return _of_archive(path)
    if (path / SPLIT).is_dir():
        return _of_ogb(path, lambda name: (path / name).read_bytes())
    raise DataError(
        f"{path}: expected a folder with {ARRAYS} and {TABLE}, OGB's ddi.zip, or its folder"
    )


def _of_arrays(path: Path) -> Links:
    try:
        with np.load(path / ARRAYS, allow_pickle=False) as arrays:
            pairs = {name: _pairs(arrays[name], f"{path / ARRAYS}: {name}") for name in PARTS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path / ARRAYS}: not readable as the arrays of ogbl-ddi ({error})"
        ) from error
    rows = rows_of(path / TABLE, ("node_idx", "drugbank_id", "smiles", "study_smiles"))
    for place, row in enumerate(rows):
        if row["node_idx"] != str(place):
            raise DataError(
                f"{path / TABLE}: row {place} is of node {row['node_idx']}, not {place}"
            )
    return Links(
        path=path,
        pairs=pairs,
        drugs=[row["drugbank_id"] for row in rows],
        smiles=[row["smiles"] for row in rows],
        study_smiles=[row["study_smiles"] for row in rows],
        proteins_P2=_proteins(path / PROTEINS, len(rows)),
    )


def _of_archive(path: Path) -> Links:
    try:
        with zipfile.ZipFile(path) as archive:
            return _of_ogb(path, lambda name: _member(archive, f"ddi/{name}"))
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: is damaged ({error}); get it anew") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise DataError(f"{archive.filename}: {name} is absurdly large; get the archive anew")
    return archive.read(name)


def _of_ogb(path: Path, read: Callable[[str], bytes]) -> Links:
    """Read OGB's own files, which know drugs by their ids alone."""
    try:
        found = {
            split: _unpickled(read(f"{SPLIT}/{split}.pt"), f"{path}: {SPLIT}/{split}.pt")
            for split in ("train", "valid", "test")
        }
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(read(MAPPING)).decode())))
        drugs = [row["drug id"] for row in rows]
        pairs = {
            name: _pairs(found[split][key], f"{path}: {split}.pt: {key}")
            for split, key, name in (
                ("train", "edge", PARTS[0]), ("valid", "edge", PARTS[1]),
                ("test", "edge", PARTS[2]), ("valid", "edge_neg", PARTS[3]),
                ("test", "edge_neg", PARTS[4]),
            )
        }  # fmt: skip
    except (OSError, EOFError, KeyError, ValueError, zlib.error) as error:
        raise DataError(f"{path}: is no copy of OGB's ogbl-ddi ({error}); get it anew") from error
    unknown = [""] * len(drugs)
    return Links(path, pairs, drugs, unknown, unknown, np.empty((0, 2), np.int32))


def _unpickled(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        with torch.serialization.safe_globals(list(_PICKLED)):
            found = torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # torch raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{where}: is no table of edges ({reason})") from error
    if not isinstance(found, dict):
        raise DataError(f"{where}: holds no table of edges")
    return found


def _pairs(values: Any, where: str) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
        raise DataError(f"{where}: expected whole numbers of shape (n, 2), found {found.shape}")
    return found.astype(np.int64)


def _proteins(path: Path, n_drugs: int) -> NDArray[np.int32]:
    if not path.exists():
        return np.empty((0, 2), np.int32)
    rows = rows_of(path, ("node_idx", "uniprot_id"))
    names = sorted({row["uniprot_id"] for row in rows})
    number = {name: place for place, name in enumerate(names)}
    found = set()
    for line, row in enumerate(rows, start=2):
        if not row["node_idx"].isdigit() or int(row["node_idx"]) >= n_drugs:
            raise DataError(f"{path}, line {line}: there is no node {row['node_idx']!r}")
        found.add((int(row["node_idx"]), number[row["uniprot_id"]]))
    return np.array(sorted(found), np.int32).reshape(-1, 2)


def rows_of(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a gzipped table, of these columns.

    Raises:
        DataError: the file is missing, damaged or no table, or lacks a column.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: has no column {missing[0]}")
            return [{name: row[name] or "" for name in columns} for row in reader]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise DataError(f"{path}: not readable as a table ({error})") from error
