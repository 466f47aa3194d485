"""A drill in Linux namespaces of its own: a small disk, or processes that see no others.

The drill itself runs there, in a process of its own (`python -m assay.cluster.drills.namespaces`),
and leaves its outcome in a file. The namespaces vanish with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from assay.cluster.drills.verdict import Skipped, Verdict
from assay.errors import AssayError
from assay.result import read_settings, write_json

MOUNTS = ("--mount",)
PROCESSES = ("--pid", "--fork", "--kill-child", "--mount-proc")
OUTCOME = "outcome.json"


def carry_out_inside(name: str, flags: Sequence[str], folder: Path) -> Verdict | Skipped:
    """Carry out a drill in new namespaces and return its outcome.

    Args:
        name: The drill's.
        flags: `MOUNTS` or `PROCESSES`.
        folder: Of the drill.
    """
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    try:
        probe = subprocess.run(
            ["unshare", *user, *flags, "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return Skipped(drill=name, reason="needs the program `unshare` (util-linux)")
    if probe.returncode:
        fault = " ".join(probe.stderr.split())
        return Skipped(drill=name, reason=f"needs root or user namespaces ({fault})")
    folder.mkdir(parents=True, exist_ok=True)
    # The first process of a PID namespace must reap what it inherits: a shell does.
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [sys.executable, "-m", "assay.cluster.drills.namespaces", name, str(folder)]
    done = subprocess.run(["unshare", *user, *flags, *shell, *command], check=False)
    if done.returncode:
        raise AssayError(f"drill {name}: ended with exit code {done.returncode} in its namespace")
    path = folder / OUTCOME
    was_done = "fault" in json.loads(path.read_text())
    return read_settings(Verdict if was_done else Skipped, path)


def main() -> int:
    """Carry out the drill named first in the folder named second, here."""
    from assay.cluster.drills import catalog
    from assay.cluster.drills.drill import carry_out_here
    from assay.cluster.session import stoppable

    name, folder = sys.argv[1], Path(sys.argv[2])
    try:
        with stoppable():
            outcome = carry_out_here(name, catalog.find(name), folder)
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    write_json(folder / OUTCOME, outcome)
    return 0


if __name__ == "__main__":
    sys.exit(main())
