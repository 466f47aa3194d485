"""Where a number comes from: code, packages, machine."""

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import assay
from assay.plugins import distributions
from assay.result import Provenance

PACKAGES = ("torch", "numpy", "scipy", "rdkit", "ray", "mlflow", "optuna", "pydantic")
JOB_VARIABLE = "ASSAY_RAY_JOB_ID"
"""Set by a driver that runs as a Ray job: the id that `ray job submit` printed."""


def provenance(
    *,
    cell_key: str,
    protocol: str,
    device: str,
    threads: int,
    accumulation: int,
    compiled: bool,
    workers: int,
    sharding: str | None,
    data_description: str,
    resumed: int,
    quarantined: int,
    shared_steps: int = 0,
    chosen_step: int | None = None,
) -> Provenance:
    """Return the provenance of a result that is made now, here."""
    return Provenance(
        cell_key=cell_key,
        protocol=protocol,
        **of_code(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        device=device,
        threads=threads,
        accumulation=accumulation,
        compiled=compiled,
        workers=workers,
        sharding=sharding,
        data_description=data_description,
        resumed=resumed,
        shared_steps=shared_steps,
        chosen_step=chosen_step,
        quarantined=quarantined,
        ray_job_id=os.environ.get(JOB_VARIABLE),
    )


def of_code() -> dict[str, Any]:
    """Return what provenance says of the code that makes a number now."""
    commit, dirty = git_state()
    return {
        "assay_version": assay.__version__,
        "code_digest": code_digest(),
        "git_commit": commit,
        "git_dirty": dirty,
        "packages": package_versions(),
        "python": platform.python_version(),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def settle() -> None:
    """Read what identifies the code now: later, the files may no longer be those that run."""
    git_state()
    code_digest()


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of the packages that decide numbers, of those that are installed.

    Plug-ins are among them.
    """
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions | distributions()


@cache
def code_digest() -> str:
    """Return the first 16 hex digits of SHA-256 over the sources of the installed package."""
    root = Path(assay.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Return the commit of the installed sources and whether they differ; None outside git.

    An environment may lie in a repository of which the installed package is no part.
    """
    root = Path(assay.__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", str(root / "__init__.py"))
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", str(root)))
    except (OSError, subprocess.SubprocessError):
        return None, None
