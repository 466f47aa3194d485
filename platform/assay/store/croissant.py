"""What a prepared data set is, for machines: Croissant 1.0 metadata, and the same as plain facts.

Source: Akhtar et al., "Croissant: a metadata format for ML-ready datasets", NeurIPS 2024, and its
specification, http://mlcommons.org/croissant/1.0. What 1.0 demands and a data set does not say in
a field of its own (creators, date) is taken from its citation.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assay.errors import ConfigError
from assay.store.packed import MANIFEST, SPLITS, PackedSet
from assay.store.sets import DataSet, data_set_of, open_set

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification has it, whole."""
_NAMED = re.compile(r".+? et al\.|[^(]*[^( ]|.+")
"""Who is cited, at the beginning of a citation."""
_ELSEWHERE = re.compile(r"(?:doi|arXiv):\S+")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_SPDX = re.compile(r"(?=.*\d)[\w.+-]+|MIT")


def describe(name: str) -> dict[str, Any]:
    """Return what is known of a prepared data set, as JSON.

    Raises:
        ConfigError: there is no such data set, or it lies in shards.
        DataError: it is not prepared here.
    """
    data_set, packed = _opened(name)
    train, validation, test = packed.counts
    return {
        "name": data_set.name,
        "title": data_set.title,
        "kind": data_set.kind,
        "description": packed.description,
        "licence": data_set.licence,
        "citation": data_set.citation,
        "upstream": data_set.upstream,
        "source": packed.source,
        "version": data_set.version,
        "digest": packed.digest,
        "counts": {"train": train, "validation": validation, "test": test},
        "arrays": {
            key: {"dtype": entry.dtype, "shape": list(entry.shape), "sha256": entry.sha256}
            for key, entry in packed.manifest.arrays.items()
        },
        "folder": str(packed.directory),
    }


def croissant(name: str) -> dict[str, Any]:
    """Return the Croissant metadata of a prepared data set, as JSON-LD; every file is hashed.

    Raises:
        ConfigError: as `describe`.
        DataError: as `describe`.
    """
    data_set, packed = _opened(name)
    arrays = packed.manifest.arrays
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": data_set.name,
        "description": f"{data_set.title}. {packed.description}",
        "license": licence(data_set.licence),
        # One that is made here is published nowhere: it is where its files are.
        "url": data_set.upstream or packed.directory.absolute().as_uri(),
        "creator": [{"@type": "sc:Organization", "name": each} for each in creators(data_set)],
        "datePublished": year_of(data_set.citation) or _day_of(packed),
        "citeAs": data_set.citation,
        "version": f"{data_set.version}.0.0",
        "identifier": packed.digest,
        "distribution": [_file(packed, key) for key in arrays],
        "recordSet": [
            _records(
                "splits",
                {"name": "sc:Text", "records": "sc:Integer"},
                list(zip(SPLITS, packed.counts, strict=True)),
            )
            | {"dataType": "cr:Split"},
            _records(
                "arrays",
                dict.fromkeys(("file", "dtype", "shape"), "sc:Text"),
                [(f"{key}.npy", each.dtype, str(list(each.shape))) for key, each in arrays.items()],
            ),
        ],
    }


def creators(data_set: DataSet) -> list[str]:
    """Return who made a data set, as its citation names them: `X et al.`, or a whole name."""
    if data_set.upstream is None:
        return [f"The maintainers of {type(data_set).__module__.partition('.')[0]}"]
    parts = filter(None, (_NAMED.match(each) for each in data_set.citation.split("; ")))
    return [part[0] for part in parts]


def year_of(citation: str) -> str | None:
    """Return the last year that a citation names, if it names one."""
    return max(_YEAR.findall(_ELSEWHERE.sub("", citation)), default=None)


def licence(words: str) -> str:
    """Return the address of a licence that SPDX knows by this name, or the words as they are."""
    return f"https://spdx.org/licenses/{words}.html" if _SPDX.fullmatch(words) else words


def _opened(name: str) -> tuple[DataSet, PackedSet]:
    packed = open_set(name)
    if not isinstance(packed, PackedSet):
        whole = name.partition("@")[0]
        raise ConfigError(f"{name}: lies in shards; describe {whole}, of which they were cut")
    return data_set_of(name), packed


def _day_of(packed: PackedSet) -> str:
    """Return the day on which a set was made here."""
    made = (packed.directory / MANIFEST).stat().st_mtime
    return datetime.fromtimestamp(made, UTC).date().isoformat()


def _records(
    name: str, fields: Mapping[str, str], rows: Sequence[tuple[str | int, ...]]
) -> dict[str, Any]:
    """Return a record set whose rows stand in the metadata; the first field tells them apart.

    Args:
        name: Of the record set.
        fields: Data types by name.
        rows: A value for every field.
    """
    names = [f"{name}/{field}" for field in fields]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": names[0]},
        "field": [
            {"@type": "cr:Field", "@id": each, "name": each, "dataType": kind}
            for each, kind in zip(names, fields.values(), strict=True)
        ],
        "data": [dict(zip(names, row, strict=True)) for row in rows],
    }


def _file(packed: PackedSet, key: str) -> dict[str, Any]:
    path, entry = packed.directory / f"{key}.npy", packed.manifest.arrays[key]
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": f"{entry.dtype} array of shape {tuple(entry.shape)}",
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-npy",
        "sha256": sha256,
    }
