"""The Python API: cells of a suite, a cell run, samples scored, results as a frame.

In short:

    import assay

    cells = assay.cells("sweeps/grid_mini.yaml", "budget.samples=2000")
    result = assay.run(cells["gnn-diffusion s0"])
    frame = assay.results("runs")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from assay.cell import Cell
    from assay.result import Result
    from assay.runner import Watch

ESTIMATE_COLUMNS = ("value", "low", "high", "n", "version", "better")


def cells(suite: str | Path, *overrides: str) -> "dict[str, Cell]":
    """Return the cells of a suite by name, such as `gnn-diffusion s0`; its data is prepared.

    Args:
        suite: A suite's YAML.
        overrides: `key=value`, as `--set` has them.

    Raises:
        ConfigError: a key or a value is wrong.
        DataError: the data set cannot be prepared.
    """
    from assay.cell import load_suite
    from assay.store import sets

    chosen = load_suite(Path(suite), overrides)
    return chosen.named_cells(sets.prepare(chosen.data).digest, chosen.device)


def run(
    cell: "Cell | Mapping[str, Any] | str | Path",
    *,
    storage: str | Path = "runs",
    device: str = "auto",
    threads: int = 1,
    fresh: bool = False,
    watch: "Watch | None" = None,
) -> "Result":
    """Train and evaluate a cell here, or return its result if it is finished.

    Args:
        cell: One of `cells`, a mapping that holds all of a cell, or the path of a cell's YAML.
        storage: The run store: an interrupted cell carries on, a finished one is reused.
        device: cpu, cuda, or auto: cuda where there is one.
        threads: CPU threads.
        fresh: Compute again; what was there is kept under a dated name.
        watch: Is told how far it is; see `assay.runner.Report`.

    Raises:
        AssayError: any fault that can be mended; its sentence says how.
    """
    from assay.cell import Cell
    from assay.config import validate
    from assay.runner import read_cell, run_cell
    from assay.training.execution import chosen_execution

    if isinstance(cell, str | Path):
        cell = read_cell(Path(cell))
    elif not isinstance(cell, Cell):
        cell = validate(Cell, cell, "cell")
    execution = chosen_execution(device, threads)
    return run_cell(cell, execution, Path(storage), watch or _nobody, fresh=fresh)


def evaluate(
    kind: str,
    samples: str | Path,
    *,
    reference: str | None = None,
    protocols: Sequence[str] | None = None,
    processes: int = 2,
    energies: str | None = None,
) -> "pd.DataFrame":
    """Score a file of samples, anybody's, as `assay evaluate` does.

    Args:
        kind: molecules, crystals, captions or pathways.
        samples: The file.
        reference: A prepared data set: adds what needs one, and the data's own row.
        protocols: Names; None means all that can be used here.
        processes: For molecules and crystals.
        energies: Of crystals, a potential by which they are judged to be stable, such as chgnet.

    Returns:
        A row a metric: value, low, high, n, version, better. `attrs` has what was `rejected`, and
        the `provenance` with the data's own row.

    Raises:
        AssayError: as `assay.scoring.score`.
    """
    import pandas as pd

    from assay.scoring import score

    document = score(
        kind,
        Path(samples),
        reference=reference,
        protocols=protocols,
        processes=processes,
        energies=energies,
    )
    frame = pd.DataFrame.from_dict(
        document["metrics"], orient="index", columns=list(ESTIMATE_COLUMNS)
    ).rename_axis("metric")
    frame.attrs.update(rejected=document["rejected"], provenance=document["provenance"])
    return frame


def results(*where: str | Path) -> "pd.DataFrame":
    """Return results as a tidy frame: a row for every metric of every finished cell.

    Args:
        where: Run stores, suites' published folders, folders of those, result files; by default
            the run store ./runs.

    Returns:
        cell_key, name, family, data, seed, one column an axis of the variants (architecture,
        process, …), metric, value, low, high, n, version, better, and the costs of training.

    Raises:
        ConfigError: a place is not there, or holds no result.
        DataError: a file is unreadable or edited.
    """
    import pandas as pd

    from assay.report.told_apart import names

    found = {
        each.provenance.cell_key: each for place in where or ("runs",) for each in _at(Path(place))
    }
    named = names(found.values())
    rows = [
        {
            **_about(result, named[key]),
            "metric": metric,
            **estimate.model_dump(),
            **result.cost.model_dump(),
        }
        for key, result in found.items()
        for metric, estimate in result.estimates.items()
    ]
    return pd.DataFrame(rows)


def _about(result: "Result", name: str) -> dict[str, Any]:
    cell = result.cell
    return {
        "cell_key": result.provenance.cell_key,
        "name": name,
        "family": cell["family"],
        "data": cell["data"]["name"],
        "seed": cell["seed"],
        **cell["variant"],
    }


def _at(place: Path) -> "list[Result]":
    """Return the results of one place."""
    from assay.result import read_named, read_result

    if not place.exists():
        raise ConfigError(f"{place}: there is no such file or folder")
    if (place / "cells").is_dir():
        paths = sorted((place / "cells").glob("*/result.json"))
        found = [read_result(path) for path in paths if "." not in path.parent.name]
        if not found:
            raise ConfigError(f"{place}: holds no finished cell yet")
        return found
    below = sorted(path.parent for path in place.glob("*/suite.json")) if place.is_dir() else []
    return read_named(below or [place])


def _nobody(report: Any) -> None:
    """Watch nothing."""
