"""What a prepared data set is, for machines: Croissant 1.0 metadata, and the same as plain facts.

Source: Akhtar et al., "Croissant: a metadata format for ML-ready datasets", NeurIPS 2024, and its
specification, http://mlcommons.org/croissant/1.0. What is not known (authors, dates) is left out.
"""

import hashlib
from typing import Any

from assay.errors import ConfigError
from assay.store.packed import PackedSet
from assay.store.sets import DataSet, data_set_of, open_set

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "recordSet": "cr:recordSet",
}


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
    found = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": data_set.name,
        "description": f"{data_set.title}. {packed.description}",
        "license": data_set.licence,
        "citeAs": data_set.citation,
        "version": f"{data_set.version}.0.0",
        "identifier": packed.digest,
        "distribution": [_file(packed, key) for key in packed.manifest.arrays],
    }
    if data_set.upstream is not None:
        found["url"] = data_set.upstream
    return found


def _opened(name: str) -> tuple[DataSet, PackedSet]:
    packed = open_set(name)
    if not isinstance(packed, PackedSet):
        whole = name.partition("@")[0]
        raise ConfigError(f"{name}: lies in shards; describe {whole}, of which they were cut")
    return data_set_of(name), packed


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
