"""Ray's token file: where it is, and who else could read it."""

import os
import stat
from pathlib import Path

ROOT = 0


def default_path() -> Path:
    """Return where Ray looks for its token unless told otherwise."""
    return Path.home() / ".ray" / "auth_token"


def belongs_to_another(found: os.stat_result) -> bool:
    """Tell whether the file is of a user who is neither this one nor root."""
    return found.st_uid not in (os.geteuid(), ROOT)


def readable_by_others(path: Path, found: os.stat_result) -> bool:
    """Tell whether other users of this machine can read the file.

    They cannot where they may not enter its folder, whatever the file's own mode; a single file
    that is mounted into a container was given to that container.
    """
    if not stat.S_IMODE(found.st_mode) & 0o077 or os.path.ismount(path):
        return False
    folder = path.resolve().parent.stat()
    entered = stat.S_IMODE(folder.st_mode) & 0o011
    return bool(entered) or belongs_to_another(folder)
