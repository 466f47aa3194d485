"""Faults of the disk: disk-full."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from assay.cluster.drills import namespaces
from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import NotPossibleError, PromiseError, Scene

DISK_BYTES = 640 * 1024**2
GAP_BYTES = 64 * 1024
"""Left free: a row of the curves fits, a checkpoint does not."""


class DiskFull(Drill):
    """Fill the run store's disk while checkpoints are being written, free it, repeat the command.

    The run store lies on a file system of 640 MiB (a tmpfs in a mount namespace), which a file of
    ballast fills to the last 64 KiB: the next checkpoint really meets "no space left on device".
    The command should say what is full and end; the checkpoints before should be whole.
    """

    fault = "disk full during a checkpoint"
    namespace = namespaces.MOUNTS

    @contextlib.contextmanager
    def place(self, scene: Scene) -> Iterator[None]:
        """Put the run store on a small disk."""
        disk = scene.folder / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotPossibleError(f"needs to mount a tmpfs ({' '.join(done.stderr.split())})")
        scene.storage = disk / "runs"
        yield

    def disturb(self, scene: Scene) -> None:
        """Fill, wait for the end, free, repeat."""
        driver = scene.start()
        key, process = scene.wait_for_a_training_cell()
        ballast = scene.storage.parent / "ballast"
        try:
            while driver.process.poll() is None:
                _fill(ballast)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    driver.process.wait(0.05)
        finally:
            ballast.unlink()
        driver.expect(1, 2)
        if "free some space" not in driver.log.read_text():
            raise PromiseError(f"the command did not say that the disk is full ({driver.log})")
        again = scene.start()
        scene.wait_for_recovery(scene.record(key, pid=process.pid, since=again.started))
        again.expect(0)


def _fill(ballast: Path) -> None:
    with ballast.open("ab") as file:
        free = shutil.disk_usage(ballast.parent).free - GAP_BYTES
        with contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), file.tell(), max(1, free))
