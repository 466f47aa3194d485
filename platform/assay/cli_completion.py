"""What the shell completes: names out of the catalogs, out of a suite's page, and keys of cells.

Nothing here imports a family: a completion that takes a second is worse than none.
"""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import typer

from assay.errors import AssayError


def data_sets(incomplete: str) -> list[str]:
    """Return the data sets, and what else `assay data prepare` prepares."""
    from assay import catalog

    return _begun([*catalog.DATA_SETS, *catalog.ASSETS], incomplete)


def drills(incomplete: str) -> list[str]:
    """Return the drills, and `all`."""
    from assay.cluster.drills.catalog import DRILLS

    return _begun([*DRILLS, "all"], incomplete)


def cells_of_suite(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the variants of the suite that the command line names already."""
    from assay.config import load_yaml

    # Before `--cell` has its value, what stands before it is not parsed into parameters.
    path = ctx.params.get("path") or next(iter(ctx.args), None)
    try:
        grid = load_yaml(Path(path))["grid"] if path else {}
    except (AssayError, KeyError):
        return []
    if not isinstance(grid, dict) or not all(isinstance(each, list) for each in grid.values()):
        return []
    labels = ["-".join(map(str, values)) for values in product(*grid.values())]
    return _begun(labels if grid else [], incomplete)


def cell_keys(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the keys of the cells that are stored, each with its folder."""
    from assay.lookup import stored_paths

    folders: dict[str, Any] = ctx.params
    places = stored_paths(
        Path(folders.get("storage") or "runs"), Path(folders.get("published") or "results")
    )
    return [
        (key, str(paths[0].parent)) for key, paths in places.items() if key.startswith(incomplete)
    ]


def _begun(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
