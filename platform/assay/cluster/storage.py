"""Where a suite's run store is, and whether it can be written."""

import os
import shutil
from pathlib import Path

from assay.errors import MachineError

LEAST_FREE_BYTES = 256 * 1024**2
TEMPORARY_COPY = "runtime_resources"  # a part of the path of Ray's copies of working directories


def resolve_storage(option: Path | None, working_directory: Path) -> tuple[Path, str | None]:
    """Return the run store and, where it is not what one would think, a sentence about it.

    It is `option`, else `$ASSAY_RUNS`, else `./runs`; but a Ray job works in a temporary copy of
    the repository, which Ray deletes: there it is `~/assay/runs`.

    Raises:
        MachineError: an explicit relative path would lie in such a copy.
    """
    temporary = TEMPORARY_COPY in working_directory.parts
    given = option or (Path(os.environ["ASSAY_RUNS"]) if os.environ.get("ASSAY_RUNS") else None)
    if given is not None:
        return lasting(given, working_directory), None
    if temporary:
        path = Path.home() / "assay" / "runs"
        return path, (
            f"Run store: {path} (the job's own directory is a temporary copy; "
            "--storage or ASSAY_RUNS choose another)"
        )
    return working_directory / "runs", None


def lasting(path: Path, working_directory: Path) -> Path:
    """Return the absolute path of a file or folder that the user asked for.

    Raises:
        MachineError: it would lie in a Ray job's temporary copy of the repository.
    """
    if TEMPORARY_COPY in working_directory.parts and not path.expanduser().is_absolute():
        raise MachineError(
            f"{path}: this job works in a temporary copy of the repository, which Ray deletes; "
            "give an absolute path"
        )
    return (working_directory / path.expanduser()).absolute()


def require_writable(storage: Path) -> None:
    """Make the run store's folder and see that it can be written and has some room.

    Raises:
        MachineError: it cannot, or has not.
    """
    try:
        storage.mkdir(parents=True, exist_ok=True)
        probe = storage / f".probe-{os.getpid()}"
        probe.write_bytes(b"assay")
        probe.unlink()
        free = shutil.disk_usage(storage).free
    except OSError as error:
        raise MachineError(
            f"storage {storage}: cannot be written ({error.strerror}); give another --storage"
        ) from error
    if free < LEAST_FREE_BYTES:
        raise MachineError(
            f"storage {storage}: no space left ({free / 1024**2:.0f} MiB free, at least "
            f"{LEAST_FREE_BYTES / 1024**2:.0f} needed); free some or give another --storage"
        )
