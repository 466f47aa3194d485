"""XML from outside: read without fetching, expanding or resolving anything it names."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from assay.errors import DataError

LARGEST = 256 << 20
"""Bytes of one file: more than any genome-scale model."""


def read_xml(path: Path, kind: str, doctype: str | None = None) -> ElementTree.Element:
    """Return the root of an XML document.

    Args:
        path: The file.
        kind: What it should be, as a sentence names it: "KGML".
        doctype: The one document type that may be named, and is then ignored: its DTD is not read.

    Raises:
        DataError: the file is missing, no XML, absurdly large, or declares entities or a DTD.
    """
    content = checked_xml(path, kind, doctype)
    return ElementTree.fromstring(content)


def checked_xml(path: Path, kind: str, doctype: str | None = None) -> bytes:
    """Return the bytes of an XML document that any parser may be given; see `read_xml`.

    Raises:
        DataError: as `read_xml`.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path}: is larger than {LARGEST >> 20} MiB; split it")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error

    def refuse(what: str) -> NoReturn:
        raise DataError(f"{path}: declares {what}, which {kind} needs none of; remove it")

    def on_doctype(name: str, system: str | None, public: str | None, internal: int) -> None:
        if internal or name != doctype:
            refuse(f"the document type {name}" + (" with a DTD of its own" if internal else ""))

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = on_doctype
    parser.EntityDeclHandler = lambda *about: refuse("an entity")
    parser.ExternalEntityRefHandler = lambda *about: refuse("an external entity")
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: of its encoding
        raise DataError(f"{path}: is no well-formed {kind} ({error}); get it anew") from error
    return content
