"""What learning from another data set is worth: arms of equal compute, compared seed by seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich import box
from rich.table import Table

from assay.cell import Suite
from assay.errors import DataError
from assay.report.wording import FRACTIONS, metric_title
from assay.result import Result, read_plain, require_one_version
from assay.statistics.seeds import mean_over_seeds

SCRATCH = "scratch"
ARMS: Mapping[str, str] = {
    SCRATCH: "its own data only",
    "half": "its own data only, half of the compute",
    "before": "the other data for the first half",
    "along": "both, every other step",
}
"""How a target is learnt. All but `half` spend the same; `half` spends what `before` does on the
target, so that the two tell what the first half of `before` has added."""

METRICS = (
    "held_out/x_mse",
    "edm/atom_stability", "edm/molecule_stability", "edm/validity", "edm/valid_unique",
    "cdvae/structural_validity", "cdvae/compositional_validity", "cdvae/validity",
    "cdvae/cov_recall", "cdvae/cov_precision",
)  # fmt: skip
"""All are shares: the first of the error that the best linear estimate leaves, the lower the
better; the others of samples, the higher the better."""

LOWER = frozenset({"held_out/x_mse"})


@dataclass(frozen=True)
class Row:
    """One metric of one model in one arm, over seeds."""

    target: str
    source: str
    model: str
    records: int | None
    """Of the target that were trained on; None is all."""
    metric: str
    arm: str
    seeds: tuple[int, ...]
    mean: float
    low: float | None
    """95 % interval over seeds; None with one seed, or if all are alike."""
    high: float | None
    difference: float
    """From `scratch`, the mean over the seeds that both have."""
    difference_low: float | None
    difference_high: float | None


def overrides(suite: Suite, target: str, source: str, arm: str) -> tuple[str, ...]:
    """Return what makes of a suite one arm of a study, for `assay.cell.load_suite`."""
    common = (f"name={suite.name}_{target}_{arm}", f"data={target}")
    if arm == SCRATCH:
        return common
    if arm == "half":
        unit, half = suite.budget.unit, suite.budget.amount / 2
        amount = round(half) if unit in ("steps", "samples") else half
        return (*common, f"budget={{{unit}: {amount}}}")
    return (*common, f"settings.source={{name: {source}, when: {arm}}}")


def of_suite(results: Sequence[Result], suite: Suite) -> list[Result]:
    """Return those results that are of a suite's cells, whatever their data's digests.

    The folder of an arm names the target alone: an earlier study may have left cells there that
    learnt from another source, or with another budget.
    """
    asked = [_asked(cell.model_dump(mode="json")) for cell in suite.cells("0" * 16)]
    return [result for result in results if _asked(result.cell) in asked]


def _asked(cell: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(cell["settings"])
    source = settings.pop("source", None)
    named = source and {key: value for key, value in source.items() if key != "digest"}
    parts = ("variant", "seed", "budget", "training")
    return {part: cell[part] for part in parts} | {"settings": settings, "source": named}


def compare(target: str, source: str, arms: Mapping[str, Sequence[Result]]) -> list[Row]:
    """Compare the arms of one target with `scratch`, which must be among them.

    Args:
        target: Data set that is to be learnt.
        source: The other.
        arms: The finished cells of each arm.

    Raises:
        DataError: a metric is of several versions.
    """
    for metric in METRICS:
        require_one_version([each for results in arms.values() for each in results], metric)
    values = {arm: _values(results) for arm, results in arms.items()}
    rows = []
    for (model, records, metric), base in values[SCRATCH].items():
        for arm in arms:
            found = values[arm].get((model, records, metric))
            if found is None:
                continue
            mean, interval = mean_over_seeds(list(found.values()))
            both = [found[seed] - base[seed] for seed in sorted(found.keys() & base.keys())]
            if not both:
                continue
            difference, apart = mean_over_seeds(both)
            low, high = interval or (None, None)
            apart_low, apart_high = apart or (None, None)
            rows.append(
                Row(target, source, model, records, metric, arm, tuple(sorted(found)), mean, low,
                    high, difference, apart_low, apart_high)
            )  # fmt: skip
    return sorted(rows, key=_place)


def table(rows: Sequence[Row]) -> Table:
    """Lay out the rows of one target, in per cent and points."""
    first = rows[0]
    found = Table(box=box.SIMPLE_HEAD, title=f"{first.target}, from {first.source}")
    for heading in (
        "model",
        f"{first.target} records",
        "metric",
        "learnt from",
        "seeds",
        "mean, %",
        "against scratch, points",
    ):
        found.add_column(heading)
    for row in rows:
        found.add_row(
            row.model,
            records_title(row.records),
            title_of(row.metric),
            ARMS[row.arm],
            str(len(row.seeds)),
            _with_interval(row.mean, row.low, row.high),
            "" if row.arm == SCRATCH else _with_interval(
                row.difference, row.difference_low, row.difference_high, sign=True
            ),
        )  # fmt: skip
    return found


def records_title(records: int | None) -> str:
    """Return how a number of training records is called."""
    return "all" if records is None else f"{records:,}"


def title_of(metric: str) -> str:
    """Return a metric's title, which says where less is better."""
    return f"{metric_title(metric)} ↓" if metric in LOWER else metric_title(metric)


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows as JSON."""
    return {"rows": [{**asdict(row), "seeds": list(row.seeds)} for row in rows]}


def read(path: Path) -> list[Row]:
    """Read what `document` made, in its order.

    Raises:
        DataError: the file is unreadable, holds no row, or something else.
    """
    try:
        rows = TypeAdapter(list[Row]).validate_python(read_plain(path)["rows"])
    except (ValidationError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is no comparison of arms; jobs/transfer.py writes it") from error
    if not rows:
        raise DataError(f"{path}: holds no row: no arm has a finished cell")
    return rows


def _place(row: Row) -> tuple[str, float, int]:
    return row.model, math.inf if row.records is None else row.records, METRICS.index(row.metric)


def _values(
    results: Sequence[Result],
) -> dict[tuple[str, int | None, str], dict[int, float]]:
    """Return values by seed, by model, number of training records and metric.

    Raises:
        DataError: an arm has two results of one seed there.
    """
    found: dict[tuple[str, int | None, str], dict[int, float]] = {}
    for result in results:
        records = result.cell["training"].get("records")
        for metric in METRICS:
            estimate = result.estimates.get(metric)
            if estimate is not None and estimate.n > 0:
                assert metric in FRACTIONS | LOWER, metric
                of_model = found.setdefault((result.label, records, metric), {})
                seed = int(result.cell["seed"])
                if seed in of_model:
                    raise DataError(
                        f"{result.label}, seed {seed}: an arm has two results at one number of "
                        "training records; compare them apart"
                    )
                of_model[seed] = estimate.value
    return found


def _with_interval(value: float, low: float | None, high: float | None, sign: bool = False) -> str:
    plus = "+" if sign else ""
    text = f"{100 * value:{plus}.1f}"
    if low is None or high is None:
        return f"{text} (no interval)"
    return f"{text} [{100 * low:{plus}.1f}, {100 * high:{plus}.1f}]"
