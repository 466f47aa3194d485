"""Readers of the files in which ChEBI-20 is found, and of the pool of further pairs.

    train.txt, validation.txt, test.txt, plain or gzipped: CID, SMILES and description, separated
    by tabs, nothing quoted
    train_pool_no_chebi20_valtest.jsonl.gz: one JSON object a line with smiles and caption

About 15 % of ChEBI-20's SMILES have every backslash doubled, which is read as one.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from assay.captioning.data.captions import Pair
from assay.errors import DataError
from assay.store.packed import Split

COLUMNS = ("CID", "SMILES", "description")
_CID = re.compile("[0-9]{1,18}")
FILES: Mapping[Split, str] = {
    "train": "train.txt",
    "validation": "validation.txt",
    "test": "test.txt",
}
RECORDS: Mapping[Split, int] = {"train": 26_407, "validation": 3_301, "test": 3_300}
SHA256: Mapping[Split, str] = {
    "validation": "f410b58e6825986577d01b4f0c14b59ed61c1343a15118ba584de4bbcea1508c",
    "test": "91776254b54ef13ad701ede0ecdbd7bcd30c19a66e52aa34a6dac8d0e7306d72",
}
"""Of the files' content, not of the archives they come in. That of train.txt is not known: what is
checked is how many records it has, and that none is a molecule of the test split."""

POOL = "train_pool_no_chebi20_valtest.jsonl.gz"
POOL_RECORDS = 6_443
POOL_SHA256 = "96fe404922abe123a2a2d2ea84f1dab89181a4ae51878589e26c725278b4644d"
"""Of its content."""


def find(folder: Path, name: str) -> Path | None:
    """Return `name` or `name`.gz in a folder, or None."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def read_split(folder: Path, split: Split) -> list[Pair]:
    """Return the pairs of one of upstream's files; their ids are PubChem's.

    Raises:
        DataError: the file is missing, damaged or another one, or a record is malformed.
    """
    path = find(folder, FILES[split])
    if path is None:
        raise DataError(
            f"{folder}: holds no {FILES[split]} or {FILES[split]}.gz; copy ChEBI-20's file there, "
            "or give another source"
        )
    content = content_of(path)
    _require_checksum(path, content, SHA256.get(split))
    pairs = pairs_of(content, path, split)
    if len(pairs) != RECORDS[split]:
        raise DataError(
            f"{path}: has {len(pairs):,} records, ChEBI-20's has {RECORDS[split]:,}; get it anew"
        )
    return pairs


def read_pool(folder: Path) -> list[Pair]:
    """Return the further pairs for training; the id of line L is -L.

    Raises:
        DataError: the file is missing, damaged or another one, or a record is malformed.
    """
    path = folder / POOL
    if not path.is_file():
        raise DataError(f"{folder}: holds no {POOL}; copy it there, or give another source")
    content = content_of(path)
    _require_checksum(path, content, POOL_SHA256)
    return pool_of(content, path)


def pairs_of(content: bytes, path: Path, split: Split) -> list[Pair]:
    """Return the pairs of a table with the columns CID, SMILES and description.

    Raises:
        DataError: it is no such table; names the record, counted from 1.
    """
    reader = csv.DictReader(
        io.StringIO(_decoded(content, path), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    try:
        return list(_pairs(reader, path, split))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num + 1}: cannot be read ({error})") from error


def _pairs(reader: csv.DictReader, path: Path, split: Split) -> Iterator[Pair]:
    if tuple(reader.fieldnames or ()) != COLUMNS:
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise DataError(f"{path}: its columns are {found[:80]}, not {', '.join(COLUMNS)}")
    for number, row in enumerate(reader, start=1):
        where = f"{path}, record {number}"
        if None in row or None in row.values():
            raise DataError(f"{where}: has not three columns; separate them by tabs")
        if not _CID.fullmatch(row["CID"]):
            raise DataError(f"{where}: {row['CID'][:40]!r} is no CID, which is a whole number")
        smiles = row["SMILES"].replace("\\\\", "\\")
        yield Pair(int(row["CID"]), smiles, row["description"], split, where)


def pool_of(content: bytes, path: Path) -> list[Pair]:
    """Return the pairs of JSON lines with smiles and caption.

    Raises:
        DataError: a line is no such object; names it.
    """
    pairs = []
    for number, line in enumerate(_decoded(content, path).rstrip("\n").split("\n"), start=1):
        where = f"{path}, record {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where}: is no JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: is no JSON object with smiles and caption")
        smiles, caption = row.get("smiles"), row.get("caption")
        if not isinstance(smiles, str) or not isinstance(caption, str):
            raise DataError(f"{where}: smiles and caption must be texts")
        pairs.append(Pair(-number, smiles, caption, "train", where))
    return pairs


def content_of(path: Path) -> bytes:
    """Return what a file holds, decompressed where its name ends in .gz.

    Raises:
        DataError: it cannot be read, or its compression is damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); get it anew") from error


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 ({error}); get it anew") from error


def _require_checksum(path: Path, content: bytes, expected: str | None) -> None:
    found = hashlib.sha256(content).hexdigest()
    if expected not in (None, found):
        raise DataError(
            f"{path}: SHA-256 of its content is {found}, expected {expected}; get it anew"
        )
