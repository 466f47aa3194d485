"""Where a suite's run store is, and who can write it."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
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


def open_to_everyone(storage: Path) -> str | None:
    """Return a sentence if every user of the machine can change the run store, else None.

    A store that a group shares is fine: whatever is read from it is JSON or safetensors, checked
    on the way in. Anyone may destroy what is open to everyone, though.
    """
    mode = storage.stat().st_mode
    if not mode & stat.S_IWOTH or mode & stat.S_ISVTX:
        return None
    return f"run store {storage}: every user can change or delete results; chmod o-w {storage}"


@contextlib.contextmanager
def private_folder(storage: Path) -> Iterator[Path]:
    """Make a folder in the run store that this user alone can enter; remove it at the end.

    For Tune's own state, which is pickled: it is always a new folder, so that nothing another
    user has put there is ever read.

    Raises:
        MachineError: it cannot be made, or the file system does not keep it private.
    """
    try:
        path = Path(tempfile.mkdtemp(dir=storage, prefix="tune-"))
    except OSError as error:
        raise MachineError(
            f"storage {storage}: cannot be written ({error.strerror}); give another --storage"
        ) from error
    try:
        _require_private(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _require_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
        raise MachineError(
            f"{path}: its file system lets others in (mode {stat.S_IMODE(found.st_mode):04o}), and "
            "Ray Tune keeps pickles there; give a --storage on a file system with Unix modes"
        )
    if found.st_uid != os.geteuid():
        raise MachineError(
            f"{path}: belongs to user {found.st_uid}, not to this process ({os.geteuid()}), and "
            "Ray Tune keeps pickles there; give another --storage"
        )
