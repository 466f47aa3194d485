"""Faults of checkpoints: corrupt-checkpoint."""

from collections.abc import Callable, Mapping
from pathlib import Path

from assay.cluster.drills.drill import Drill
from assay.cluster.drills.scene import PromiseError, Scene
from assay.result import read_result


class CorruptCheckpoint(Drill):
    """Spoil the newest checkpoint of a cell in mid-training, in three ways, on three cells.

    Each time the driver is killed, a file of the newest checkpoint is truncated, or one of its
    bits is flipped, or its manifest is removed, and the same command is given again. The spoilt
    checkpoint should be set aside, said so in the result, and the one before it carried on from.
    """

    fault = "newest checkpoint truncated, bit-flipped, without its manifest"

    def disturb(self, scene: Scene) -> None:
        """Kill, spoil, repeat the command; three times."""
        spoilt: list[str] = []
        driver = scene.start()
        for spoil in WAYS.values():
            key, process = scene.wait_for_a_training_cell(unlike=spoilt)
            scene.wait(lambda key=key: len(scene.checkpoints(key)) == 2, "two checkpoints")
            driver.kill()
            scene.end_processes()
            spoil(scene.checkpoints(key)[0])
            driver = scene.start()
            scene.wait_for_recovery(scene.record(key, pid=process.pid, since=driver.started))
            spoilt.append(key)
        driver.expect(0)
        for key in spoilt:
            result = read_result(scene.directory(key) / "result.json")
            if result.provenance.quarantined != 1:
                raise PromiseError(
                    f"cell {result.label}: its result tells of {result.provenance.quarantined} "
                    "checkpoints that were set aside, not of 1"
                )


def _truncate(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _flip_a_bit(checkpoint: Path) -> None:
    path = checkpoint / "ema.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def _remove_manifest(checkpoint: Path) -> None:
    (checkpoint / "manifest.json").unlink()


WAYS: Mapping[str, Callable[[Path], None]] = {
    "truncated": _truncate,
    "bit-flipped": _flip_a_bit,
    "without a manifest": _remove_manifest,
}
