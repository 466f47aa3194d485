"""Several drills, one after another, each in a folder of its own."""

import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from assay.cluster.drills import catalog
from assay.cluster.drills.drill import carry_out
from assay.cluster.drills.verdict import Skipped, Verdict
from assay.cluster.session import stoppable


def descriptions() -> dict[str, str]:
    """Return what each drill does, by name."""
    return {name: inspect.getdoc(type(catalog.find(name))) or "" for name in catalog.DRILLS}


def carry_out_all(
    names: Iterable[str], storage: Path | None, say: Callable[[str], None]
) -> list[Verdict | Skipped]:
    """Carry out drills and return what became of each.

    Args:
        names: Of the catalog.
        storage: Keeps everything, a folder a drill; by default a temporary folder, of which only
            what belongs to a broken promise is kept.
        say: Is told what happens, a line at a time.

    Raises:
        ConfigError: a name is not in the catalog.
    """
    drills = {name: catalog.find(name) for name in names}
    home = storage or Path(tempfile.mkdtemp(prefix="assay-drills-"))
    outcomes = []
    for name, drill in drills.items():
        say(f"{name}: {drill.fault}")
        folder = home.absolute() / name
        shutil.rmtree(folder, ignore_errors=True)
        with stoppable():  # so that nothing of a scene outlives a drill that is stopped
            outcome = carry_out(name, drill, folder)
        outcomes.append(outcome)
        broken = isinstance(outcome, Verdict) and not outcome.kept
        if broken:
            say(f"{name}: see {folder}")
        elif storage is None:
            shutil.rmtree(folder, ignore_errors=True)
    if storage is None and not any(home.iterdir()):
        home.rmdir()
    return outcomes
