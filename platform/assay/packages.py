"""Installed packages against what Assay asks for: versions, optional extras, pins."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import assay

DISTRIBUTION = "assay-bench"
ROOT = Path(assay.__file__).parents[2]
"""The checkout, where assay is installed from one."""


def installed(name: str) -> str | None:
    """Return the version of a package, or None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def declared(key: str) -> list[str]:
    """Return what Assay's own metadata says under `key`, such as `Classifier`."""
    try:
        return metadata.metadata(DISTRIBUTION).get_all(key) or []
    except metadata.PackageNotFoundError:
        return []


def required(extra: str = "") -> list[Requirement]:
    """Return what Assay asks for always, or what one of its extras adds to that."""
    found = [Requirement(text) for text in declared("Requires-Dist")]
    if not extra:
        return [each for each in found if _holds(each, "")]
    return [each for each in found if _holds(each, extra) and not _holds(each, "")]


def unmet(wanted: Requirement) -> list[str]:
    """Return what is wrong with an installed package, and with those that its extras need."""
    version = installed(wanted.name)
    if version is None:
        return [f"{wanted.name} is not installed"]
    if not wanted.specifier.contains(Version(version), prereleases=True):
        return [f"{wanted.name} is {version}, needed {wanted.specifier}"]
    below = [Requirement(text) for text in metadata.requires(wanted.name) or []]
    asked = [
        each
        for each in below
        if not _holds(each, "") and any(_holds(each, extra) for extra in wanted.extras)
    ]
    through = f"{wanted.name}[{','.join(sorted(wanted.extras))}]"
    return [
        f"{through}: {fault}" for each in asked if each.name != wanted.name for fault in unmet(each)
    ]


def off_pins(constraints: Path) -> tuple[int, list[str]]:
    """Return how many pinned packages are installed, and those of another version."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pins = dict(line.strip().split("==", 1) for line in lines if "==" in line)
    here = {name: version for name in pins if (version := installed(name)) is not None}
    # A local part (`+cpu`) tells builds of one version apart.
    other = [
        f"{name} {version}, pinned {pins[name]}"
        for name, version in here.items()
        if version.partition("+")[0] != pins[name].partition("+")[0]
    ]
    return len(here), other


def installing(extra: str) -> str:
    """Return the command that installs an extra."""
    if (ROOT / "constraints.txt").exists():
        return f"pip install --constraint constraints.txt --editable '.[{extra}]'"
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def shown(faults: Sequence[str], most: int = 4) -> str:
    """Return faults in one line, the first ones where there are many."""
    rest = f"; and {len(faults) - most} more" if len(faults) > most else ""
    return "; ".join(faults[:most]) + rest


def _holds(wanted: Requirement, extra: str) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": extra})
