"""The table of a suite that is cross-validated: of each model all folds as one.

It is made of `<cell_key>.predictions.jsonl`. A leaderboard has a row for every fold, and the mean
of their figures is none of the whole: R² is about each fold's own mean.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.report.folders import Folder
from assay.report.plain_tables import PlainTable
from assay.report.told_apart import names
from assay.report.wording import estimate_text

if TYPE_CHECKING:
    from assay.habitability.metrics.folds import Pooled

FAMILY, AXIS, FLOOR = "habitability", "fold", "training_mean"


def is_cross_validated(cell: Mapping[str, Any]) -> bool:
    """Say whether a cell, as plain JSON, is judged by one fold, which says nothing of another."""
    return cell["family"] == FAMILY and AXIS in cell["variant"]


def cross_validation(folder: Folder) -> PlainTable | None:
    """Return the table; None of a suite whose grid has no folds.

    Raises:
        DataError: a file of predictions is no such file; names the file and the line.
    """
    if folder.suite.family != FAMILY or AXIS not in folder.suite.grid:
        return None
    from assay.habitability.metrics.folds import Pooled

    folds, pooled, left_out = folder.suite.grid[AXIS], dict[str, tuple[Pooled, int]](), []
    for model, by_seed in _by_model(folder).items():
        whole = {seed: paths for seed, paths in by_seed.items() if len(paths) == len(folds)}
        left_out += [f"{model}, seed {seed}" for seed in by_seed if seed not in whole]
        if whole:
            found = Pooled.read([list(paths.values()) for paths in whole.values()])
            pooled[model] = found, len(whole)
    caption = (
        "each planet of these folds is foretold once a seed, by the model of the fold that it is "
        "the test of; figures are means over seeds, and intervals resample groups of planets, "
        "which no two folds share"
    )
    if left_out:
        caption += f"; left out for lack of a fold: {', '.join(left_out)}"
    heads = ("model", "R²", "MAE", f"MAE above {FLOOR}'s", "seeds", "planets", "groups")
    return PlainTable(f"{len(folds)} folds as one", heads, _rows(pooled), caption)


def _by_model(folder: Folder) -> dict[str, dict[int, dict[str, Path]]]:
    """Return the files of predictions that there are, by model, seed and fold."""
    plain = [each.model_copy(update={"cell": _without_fold(each.cell)}) for each in folder.results]
    named = names(plain)
    found: dict[str, dict[int, dict[str, Path]]] = {}
    for result in folder.results:
        key = result.provenance.cell_key
        of_seed = found.setdefault(named[key], {}).setdefault(result.cell["seed"], {})
        path = folder.path / f"{key}.predictions.jsonl"
        if path.exists():
            of_seed[result.cell["variant"][AXIS]] = path
    return found


def _without_fold(cell: dict[str, Any]) -> dict[str, Any]:
    def without(part: str) -> dict[str, Any]:
        return {key: value for key, value in cell[part].items() if key != AXIS}

    return {**cell, "variant": without("variant"), "settings": without("settings")}


def _rows(pooled: "dict[str, tuple[Pooled, int]]") -> Sequence[Sequence[str]]:
    """Return a row a model, the smallest error first."""
    floor = pooled[FLOOR][0] if FLOOR in pooled else None
    rows = []
    for model, (found, seeds) in pooled.items():
        estimates = found.estimates(floor)
        beside = estimates.get("folds/mae_beside")
        rows.append((estimates["folds/mae"].value, (
            model,
            *(estimate_text(name, estimates[name]) for name in ("folds/r2", "folds/mae")),
            "–" if beside is None or model == FLOOR else estimate_text("folds/mae_beside", beside),
            f"{seeds}", f"{len(found.record_N):,}", f"{estimates['folds/mae'].n:,}",
        )))  # fmt: skip
    return [row for _, row in sorted(rows)]
