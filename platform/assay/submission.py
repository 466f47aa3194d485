"""External entries of a leaderboard: samples that others made, scored by the same code as ours.

`<published folder>/external/<name>.json` is one entry: who made it, the checksum of the file, the
data by digest, the estimates. It is no cell: nothing was trained here, and its cost is not known.
"""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, NonNegativeInt

import assay
from assay.config import Settings
from assay.errors import ConfigError, DataError
from assay.provenance import code_digest, package_versions
from assay.result import read_settings, write_json
from assay.scoring import Kind, Watch, score
from assay.store import sets
from assay.task import Estimate

FOLDER = "external"
_SLUG = re.compile(r"[^a-z0-9]+")


class SubmittedFile(Settings):
    """What was scored, so that anybody can tell whether a file is the one."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: NonNegativeInt
    records: NonNegativeInt
    rejected: NonNegativeInt
    """Of the records: those that could not be used, which count as samples that fail."""


class Made(Settings):
    """By which code it was scored."""

    assay_version: str
    code_digest: str
    packages: dict[str, str]
    created_utc: str
    remarks: tuple[str, ...] = ()
    """What was left out, and what a reader should know."""


class About(Settings):
    """What is told with a file."""

    name: str = Field(min_length=1, max_length=60)
    by: str = Field(default="", max_length=200)
    """Who made the samples."""
    url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Of the paper, the code or the file."""
    note: str = Field(default="", max_length=500)


class Submission(About):
    """One external entry."""

    format: Literal[1] = 1
    external: Literal[True] = True
    suite: str
    kind: Kind
    data: dict[Literal["name", "digest"], str]
    file: SubmittedFile
    estimates: dict[str, Estimate]
    provenance: Made

    @property
    def slug(self) -> str:
        """The name as a file's: lower case, words joined by `-`."""
        return slug_of(self.name)


class _SuitePage(Settings):
    """What is read of a suite's `suite.json`."""

    model_config = ConfigDict(extra="ignore")

    name: str
    data: str


def submit(
    file: Path, about: About, folder: Path, *, replace: bool = False, watch: Watch | None = None
) -> tuple[Path, Submission]:
    """Score a file as an entry of a suite's leaderboard, and keep it in the suite's folder.

    Args:
        file: Samples in the format of the suite's data; `docs/submitting.md` has each.
        about: Who made them, under which name.
        folder: The suite's published folder.
        replace: Put it in the place of an entry of that name.
        watch: Is told what is at work.

    Raises:
        ConfigError: the folder is of no suite, its data takes no submissions, or the name is taken.
        DataError: the file cannot be used, or does not answer the whole test split.
        MachineError: the folder cannot be written.
    """
    suite = _suite_of(folder)
    path = folder / FOLDER / f"{slug_of(about.name)}.json"
    if path.exists() and not replace:
        raise ConfigError(f"{path}: there is an entry of that name; --replace puts it in its place")
    kind = kind_of(suite.data)
    content_sha256, size = _checksum(file)
    document = _scored(kind, file, suite.data, watch)
    if not document["metrics"]:
        raise DataError(f"{file}: nothing could be measured of it")
    provenance = document["provenance"]
    left_out = (f"{name}: {why}" for name, why in provenance.get("left_out", {}).items())
    found = Submission(
        **about.model_dump(),
        suite=suite.name,
        kind=kind,
        data={"name": suite.data, "digest": sets.open_set(suite.data).digest},
        file=SubmittedFile(
            name=file.name,
            sha256=content_sha256,
            size_bytes=size,
            records=provenance["records"],
            rejected=len(document["rejected"]),
        ),
        estimates=document["metrics"],
        provenance=Made(
            assay_version=assay.__version__,
            code_digest=code_digest(),
            packages=package_versions(),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            remarks=(*left_out, *provenance.get("remarks", ())),
        ),
    )
    write_json(path, found)
    return path, found


def read_submissions(folder: Path) -> list[Submission]:
    """Return the external entries of a suite's published folder, by name.

    Raises:
        DataError: one breaks the schema; names the file and the key.
    """
    paths = sorted((folder / FOLDER).glob("*.json"))
    found = [read_settings(Submission, path) for path in paths]
    for path, each in zip(paths, found, strict=True):
        if each.slug != path.stem:
            raise DataError(f"{path}: holds the entry {each.name!r}; call it {each.slug}.json")
    return found


def kind_of(data: str) -> Kind:
    """Return what is submitted for a data set.

    Raises:
        ConfigError: there is no such data set, or nothing can be submitted for it.
    """
    kind = sets.kind_of(data)
    for known in get_args(Kind):
        if kind == known:
            return known
    raise ConfigError(
        f"{data}: holds a {kind}, for which nothing can be submitted; "
        f"{', '.join(get_args(Kind))} can be"
    )


def slug_of(name: str) -> str:
    """Return a name as a file's.

    Raises:
        ConfigError: it has neither a letter nor a digit.
    """
    slug = _SLUG.sub("-", name.lower()).strip("-")
    if not slug:
        raise ConfigError(f"--name {name!r}: needs a letter or a digit")
    return slug


def _suite_of(folder: Path) -> _SuitePage:
    path = folder / "suite.json"
    if not path.exists():
        raise ConfigError(
            f"{folder}: is no suite's published folder (suite.json is not there); give one, such "
            "as results/grid_qm9"
        )
    return read_settings(_SuitePage, path)


def _checksum(file: Path) -> tuple[str, int]:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error


def _scored(kind: Kind, file: Path, data: str, watch: Watch | None) -> dict[str, Any]:
    if kind == "captions":
        from assay.submitted_captions import score_captions

        return score_captions(file, data, watch)
    return score(kind, file, reference=data, watch=watch)
