"""A drill: what every fault has in common, from the undisturbed run to the verdict."""

import shutil
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock

from assay.cluster.drills import namespaces
from assay.cluster.drills.audit import Account, Expectation, audit
from assay.cluster.drills.scene import NotPossibleError, PromiseError, Scene
from assay.cluster.drills.verdict import Skipped, Verdict
from assay.provenance import code_digest
from assay.store.locations import cache_root

KEPT_SECONDS = 24 * 3600


class Drill(ABC):
    """A fault. The docstring of a subclass says how it is injected and what is expected."""

    fault: ClassVar[str]
    """A few words, for the table."""
    rules: ClassVar[tuple[dict[str, Any], ...]] = ()
    """Of the suite, where the fault lies in a cell itself."""
    fails: ClassVar[tuple[str, ...]] = ()
    """Labels of the cells that should end without a result."""
    tolerance: ClassVar[dict[str, float]] = {}
    """By label; the other cells must be bit-equal."""
    namespace: ClassVar[tuple[str, ...]] = ()
    """Flags of `unshare`, where the drill must not touch what lies outside."""

    @abstractmethod
    def disturb(self, scene: Scene) -> None:
        """Run the suite to its end, faults on the way, and record each in the scene.

        Raises:
            PromiseError: the suite did not come to its end.
            NotPossibleError: this machine lacks what the drill needs.
        """

    def place(self, scene: Scene) -> AbstractContextManager[None]:
        """Prepare where the scene takes place; it stays until the audit is over."""
        return nullcontext()

    def tracking_uri(self, scene: Scene) -> str:
        """Return where MLflow is, for the audit."""
        return scene.tracking_uri


def carry_out(name: str, drill: Drill, folder: Path) -> Verdict | Skipped:
    """Do a drill in `folder` and return what became of it, or why this machine cannot do it."""
    if drill.namespace:
        return namespaces.carry_out_inside(name, drill.namespace, folder)
    return carry_out_here(name, drill, folder)


def carry_out_here(name: str, drill: Drill, folder: Path) -> Verdict | Skipped:
    """Do a drill in this process's own namespaces."""
    try:
        return _carry_out(name, drill, folder)
    except NotPossibleError as error:
        return Skipped(drill=name, reason=str(error))


def _carry_out(name: str, drill: Drill, folder: Path) -> Verdict:
    undisturbed = undisturbed_store(drill)
    started = time.monotonic()
    with Scene.opened(folder, drill.rules) as scene, drill.place(scene):
        broken = []
        try:
            drill.disturb(scene)
        except PromiseError as error:
            broken.append(str(error))
        cells = scene.cells
        expected = Expectation(
            cells=cells,
            fails=frozenset(map(scene.key, drill.fails)),
            tolerance={scene.key(label): value for label, value in drill.tolerance.items()},
        )
        uri = drill.tracking_uri(scene)
        account = audit(scene.storage, undisturbed, expected, scene.first_results, uri)
        return _verdict(name, drill, scene, account, broken, time.monotonic() - started)


def undisturbed_store(drill: Drill) -> Path:
    """Return a run store that holds the drill's cells as nothing disturbed them.

    It is kept in the cache, by the digest of the code: several drills share it.

    Raises:
        PromiseError: the undisturbed run itself failed.
    """
    home = cache_root() / "drills" / code_digest()
    _remove_old(home.parent)
    home.mkdir(parents=True, exist_ok=True)
    (home / "lock").touch()
    with FileLock(home / "lock"), Scene.opened(home, drill.rules) as scene:
        missing = [
            cell.label
            for cell in scene.cells
            if cell.label not in drill.fails and not scene.is_finished(cell.key)
        ]
        if missing:
            scene.start(*(word for label in missing for word in ("--cell", label))).expect(0)
    return home / "runs"


def _remove_old(cache: Path) -> None:
    """Remove the undisturbed runs of code that was not drilled for a day: 350 MB each."""
    for lock in cache.glob("*/lock"):
        if time.time() - lock.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(lock.parent, ignore_errors=True)


def _verdict(
    name: str, drill: Drill, scene: Scene, account: Account, broken: list[str], seconds: float
) -> Verdict:
    recoveries = [each.recovery_seconds for each in scene.injections]
    measured = [each for each in recoveries if each is not None]
    return Verdict(
        drill=name,
        fault=drill.fault,
        injected=len(scene.injections),
        cells=len(scene.cells) - len(drill.fails),
        lost=account.lost,
        duplicated=account.duplicated,
        recomputed=account.recomputed,
        left_running=account.left_running,
        deviation=min(account.deviation, 1e9),
        bit_equal=account.bit_equal and not account.lost,
        recovery_seconds=max(measured, default=None),
        seconds=seconds,
        remark=scene.remark,
        broken=(*broken, *account.broken),
    )
