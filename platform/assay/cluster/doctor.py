"""What works of Ray and of the run store; Ray itself is imported by the checks that need it."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock

from assay.cluster import token_file
from assay.cluster.storage import open_to_everyone, require_writable, resolve_storage
from assay.doctor import GIB, Finding, Section
from assay.errors import AssayError
from assay.redact import scrubbed, without_secrets

USUAL_PORTS = {6379: "head", 8265: "dashboard", 10001: "client"}
ANSWER_SECONDS = 5.0
LEAST_STORE_BYTES = 2 * GIB
MOST_SKEW_SECONDS = 30.0
NETWORK_FILE_SYSTEMS = (
    "nfs", "cifs", "smb", "fuse", "9p", "lustre", "ceph", "gpfs", "beegfs", "glusterfs",
)  # fmt: skip
NOT_GIVEN = 3
TAKE_LOCK = f"""
import sys
from filelock import FileLock, Timeout
try:
    FileLock(sys.argv[1]).acquire(timeout=0)
except Timeout:
    sys.exit({NOT_GIVEN})
"""


def sections(storage: Path | None, *, deep: bool) -> list[Section]:
    """Run the checks of this module.

    Args:
        storage: The run store that is asked about; by default the one a suite would use.
        deep: Start Ray here where there is no cluster to join.

    Raises:
        MachineError: `storage` is relative, and this is a Ray job's temporary folder.
    """
    folder = run_store_folder(storage)
    return [Section("Ray", ray_checks(deep=deep)), Section("run store", run_store(folder))]


def run_store_folder(storage: Path | None) -> Path:
    """Return the run store that a suite would use here.

    Raises:
        MachineError: `storage` is relative, and this is a Ray job's temporary folder.
    """
    return resolve_storage(storage, Path.cwd())[0]


# --- Ray ------------------------------------------------------------------------------------------


def ray_checks(*, deep: bool) -> list[Finding]:
    """Check Ray's version, token, ports, and the cluster that a suite would use."""
    version = ray_version()
    if version.state != "ok":
        return [version]
    return [version, token(), ports(), *cluster(deep=deep)]


def ray_version() -> Finding:
    """Check that Ray is there, with the parts that Assay uses."""
    try:
        import ray
        import ray.train
        import ray.tune
        from ray.util import state  # noqa: F401  the State API
    except (ImportError, OSError) as error:
        return Finding("Ray", "broken", f"{type(error).__name__}: {error}", "make setup")
    return Finding("Ray", "ok", f"{ray.__version__}, with Tune and Train")


def token() -> Finding:
    """Check who can read Ray's authentication token; never shows it."""
    mode = os.environ.get("RAY_AUTH_MODE", "token").lower()
    if mode != "token":
        what = f"RAY_AUTH_MODE={mode}: anyone who reaches Ray's ports can run code"
        return Finding("token", "broken", what, "export RAY_AUTH_MODE=token")
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Finding("token", "ok", "from RAY_AUTH_TOKEN")
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else token_file.default_path()
    try:
        found, held = path.stat(), path.read_text().strip()
    except FileNotFoundError:
        if given is None:
            return Finding("token", "ok", f"none yet: {path} is made at the first start")
        made = "(umask 077; ray get-auth-token --generate >/dev/null)"
        return Finding("token", "broken", f"{path}: does not exist", made)
    except (OSError, UnicodeDecodeError) as error:
        return Finding("token", "broken", f"{path}: cannot be read ({error})", f"ls -l {path}")
    if not held:
        return Finding("token", "broken", f"{path}: is empty", f"rm {path}")
    return _readers(path, found)


def _readers(path: Path, found: os.stat_result) -> Finding:
    mode = stat.S_IMODE(found.st_mode)
    another = "export RAY_AUTH_TOKEN_PATH=/a/file/of/yours"
    if token_file.belongs_to_another(found):
        what = f"{path}: belongs to user {found.st_uid}, who could use it"
        return Finding("token", "broken", what, another)
    if token_file.readable_by_others(path, found):
        mend = f"chmod 600 {path}" if os.geteuid() in (found.st_uid, 0) else another
        return Finding("token", "broken", f"{path}: mode {mode:04o}, others can read it", mend)
    return Finding("token", "ok", f"{path}, mode {mode:04o}")


def ports() -> Finding:
    """Check that this machine's own address can be listened on, and what listens already."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding("ports", "broken", f"127.0.0.1: {error.strerror}", "ip link set lo up")
    taken = [f"{port} ({use})" for port, use in USUAL_PORTS.items() if _answers("127.0.0.1", port)]
    if taken and not os.environ.get("RAY_ADDRESS"):
        what = f"{', '.join(taken)} in use: a Ray runs here, which suites do not join by themselves"
        return Finding("ports", "ok", what, "export RAY_ADDRESS=auto")
    return Finding("ports", "ok", f"in use: {', '.join(taken)}" if taken else "Ray's are free")


def cluster(*, deep: bool) -> list[Finding]:
    """Check the cluster of `RAY_ADDRESS`; without one, start Ray here if `deep`."""
    address = os.environ.get("RAY_ADDRESS") or ""
    if address.startswith(("http://", "https://")):
        return [_job_server(address)]
    if not address and not deep:
        what = "RAY_ADDRESS is not set: Ray is started here when a suite runs"
        return [Finding("cluster", "off", what, "assay doctor --deep")]
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit() and not _answers(host, int(port)):
        what = f"RAY_ADDRESS={without_secrets(address)}: nothing answers there"
        return [Finding("cluster", "broken", what, "unset RAY_ADDRESS, or start that head")]
    return _joined(address)


def _joined(address: str) -> list[Finding]:
    """Connect as a suite does, and ask what a suite's preflight asks."""
    from assay.cluster import preflight, session

    found = []
    started = time.monotonic()
    try:
        with session.connect() as sentence:
            took = f"{sentence} ({time.monotonic() - started:.0f} s)"
            found.append(Finding("cluster", "ok", took))
            found.append(_asked("State API", preflight.require_state_api))
            found.append(_asked("nodes", preflight.require_equal_versions))
    except AssayError as error:
        mend = "unset RAY_ADDRESS" if address else "ray status"
        found.append(Finding("cluster", "broken", str(error), mend))
    return found


def _asked(name: str, require: Callable[[], None]) -> Finding:
    try:
        require()
    except AssayError as error:
        return Finding(name, "broken", str(error), "ray start --head --include-dashboard=true")
    texts = {"State API": "answers", "nodes": "the same Ray, Python and assay everywhere"}
    return Finding(name, "ok", texts[name])


def _job_server(address: str) -> Finding:
    """Check the server that `ray job submit` talks to."""
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    shown = without_secrets(address)
    try:
        version = JobSubmissionClient(address).get_version()
    except (OSError, RuntimeError, ValueError, AuthenticationError) as error:
        what = f"{shown}: {' '.join(scrubbed(str(error), address).split())[:200]}"
        return Finding("job server", "broken", what, "export RAY_AUTH_TOKEN_PATH=/the/heads/token")
    what = f"{shown}: Ray's job server answers (API {version}); `ray job submit` reaches it"
    return Finding("job server", "ok", what)


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), ANSWER_SECONDS):
        return True
    return False


# --- the run store --------------------------------------------------------------------------------


def run_store(folder: Path) -> list[Finding]:
    """Check that results can be kept in `folder`; leaves it as it was."""
    # Path.exists would raise where a folder may not be entered.
    made = [each for each in (folder, *folder.parents) if not os.access(each, os.F_OK)]
    mend = "assay doctor --storage /another/folder"
    try:
        require_writable(folder)
        return [store_folder(folder), locks(folder), store_clock(folder)]
    except AssayError as error:
        return [Finding("folder", "broken", str(error), mend)]
    except OSError as error:
        return [Finding("folder", "broken", f"{folder}: {error.strerror or error}", mend)]
    finally:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def store_folder(folder: Path) -> Finding:
    """Check the space in the run store and who can write it."""
    disk = psutil.disk_usage(str(folder))
    what = f"{folder}: writable, {disk.free / GIB:,.1f} GiB free"
    exposed = open_to_everyone(folder)
    if exposed is not None:
        return Finding("folder", "missing", exposed, f"chmod o-w {folder}")
    if folder.stat().st_uid != os.geteuid():
        what += f", belongs to user {folder.stat().st_uid}"
    if disk.free < LEAST_STORE_BYTES:
        return Finding("folder", "missing", f"{what}: little", "assay plan SUITE.yaml")
    return Finding("folder", "ok", what)


def locks(folder: Path) -> Finding:
    """Check that of two processes that want the same cell, only one gets it."""
    where = _mount(folder)
    mend = "assay doctor --storage /a/folder/with/locks"
    try:
        with _scratch(folder) as scratch, FileLock(scratch / "lock").acquire(timeout=0):
            twice = _given_to_another_process(scratch / "lock")
    except (OSError, NotImplementedError, subprocess.SubprocessError) as error:
        return Finding("locks", "broken", f"{where[0]}: no file locks ({error})", mend)
    if twice:
        what = f"{where[0]}: a lock is given twice; two drivers would spoil a cell"
        return Finding("locks", "broken", what, mend)
    kind, options = where
    if kind.startswith("nfs") and {"nolock", "local_lock=all", "local_lock=flock"} & options:
        what = f"{kind}: locks hold within one host only; run one driver a suite"
        return Finding("locks", "missing", what, "mount -o remount,local_lock=none …")
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        what = f"hold on this host ({kind}); a driver on another host was not tried"
        return Finding("locks", "ok", what)
    return Finding("locks", "ok", f"hold ({kind})")


def _given_to_another_process(path: Path) -> bool:
    """Tell whether a lock that this process holds is given to a child, too."""
    command = [sys.executable, "-c", TAKE_LOCK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode not in (0, NOT_GIVEN):
        raise OSError(done.stderr.strip().rpartition("\n")[2][:200])
    return done.returncode == 0


def store_clock(folder: Path) -> Finding:
    """Check the clock of the run store's file system against this machine's."""
    with _scratch(folder) as scratch:
        path = scratch / "now"
        path.write_bytes(b"")
        skew = path.stat().st_mtime - time.time()
    if abs(skew) > MOST_SKEW_SECONDS:
        what = f"the file system's clock is {skew:+,.0f} s from this machine's"
        return Finding("clock", "missing", what, "timedatectl set-ntp true")
    return Finding("clock", "ok", "that of this machine")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as path:
        yield Path(path)


def _mount(folder: Path) -> tuple[str, set[str]]:
    """Return the kind of file system that holds `folder`, and its options."""
    parts = [each for each in psutil.disk_partitions(all=True) if _holds(each.mountpoint, folder)]
    if not parts:
        return "unknown file system", set()
    nearest = max(parts, key=lambda each: len(each.mountpoint))
    return nearest.fstype, set(nearest.opts.split(","))


def _holds(mountpoint: str, folder: Path) -> bool:
    return folder.resolve().is_relative_to(mountpoint)
