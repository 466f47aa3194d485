"""Folders that hold a study, and not a suite of their own: which they are, what the page shows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay.report import quality_page, transfer_page

KINDS: Mapping[str, Callable[[str, Path], dict[str, Any]]] = {
    transfer_page.FILE: transfer_page.study_context,
    quality_page.FILE: quality_page.study_context,
}
"""By the file that a study is read from: the variables of its template, which they name."""
FILES = ("suite.json", *KINDS)
"""What tells a folder that a page can be made of."""
FAMILY = "generation"
"""The family whose cells studies compare."""


def is_study(folder: Path) -> bool:
    """Return whether a folder holds a study, and not a suite of its own."""
    return _kind(folder) is not None and not (folder / "suite.json").exists()


def study_context(identity: str, folder: Path) -> dict[str, Any]:
    """Return the variables of a study's template, and its name as `template`.

    Args:
        identity: prefix of the study's anchors in the page.
        folder: one that `is_study`.

    Raises:
        DataError: what it holds is unreadable.
    """
    kind = _kind(folder)
    assert kind is not None, folder
    return KINDS[kind](identity, folder)


def _kind(folder: Path) -> str | None:
    return next((name for name in KINDS if (folder / name).exists()), None)
