"""What is said of a file that was scored: its hash, how many records it holds, the packages."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import assay
from assay.chemistry.files import Rejected


def scored(path: Path, records: int, packages: Iterable[str]) -> dict[str, Any]:
    """Return where figures of a file come from, as JSON.

    Args:
        path: The file, of which its name and its SHA-256 are told.
        records: How many it holds.
        packages: Those that decide numbers, by the names that they are installed under.
    """
    return {
        "samples": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": records,
        "assay_version": assay.__version__,
        "packages": versions(packages),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def listed(rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    """Return the records that could not be used, with the reasons, as JSON."""
    return [{"record": each.record, "reason": each.reason} for each in rejected]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
