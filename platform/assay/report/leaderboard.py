"""The rows of a leaderboard: every cell, its mean over seeds, and below them the reference row."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Literal

from assay import headline as headlines
from assay.config import digest16
from assay.report.told_apart import names
from assay.report.wording import FRACTIONS
from assay.result import Cost, Reference, Result
from assay.statistics.seeds import mean_over_seeds
from assay.submission import Submission
from assay.task import Estimate


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard."""

    kind: Literal["cell", "mean", "reference", "external"]
    group: str
    """Equal for the cells that differ in nothing but their seed, and for their mean."""
    label: str
    """The variant, and what tells it apart from others of that variant (`told_apart.names`)."""
    variant: Mapping[str, str]
    seeds: tuple[int, ...]
    estimates: Mapping[str, Estimate]
    """Without those of n = 0, which say nothing, such as the uniqueness of no valid molecule."""
    cost: Cost | None
    """Of a mean: the mean over its seeds. The reference costs no training, and what an external
    entry has cost is not known: None."""
    hardware: str
    cell_key: str | None
    reference_name: str = ""
    """What was scored, if this is the reference row."""

    @property
    def is_floor(self) -> bool:
        """Whether nothing was trained: what is no better has learnt less than a copy or a count."""
        return self.cost is not None and self.cost.steps == 0

    @property
    def apart(self) -> str:
        """What tells it apart from others of its variant, such as `width=64`; mostly nothing."""
        return self.label.partition(", ")[2] if self.kind in ("cell", "mean") else ""


def leaderboard(
    results: Sequence[Result],
    reference: Reference | None,
    external: Sequence[Submission] = (),
) -> list[Row]:
    """Return the rows, the best group first, each mean above its seeds, the reference last.

    External entries stand among the models, where their figures put them. Below those that the
    order is of stand the rows whose figure is of another version of its protocol.
    """
    groups = _groups(results)
    metric = headline(contenders([group[0] for group in groups]))
    groups += [[_external_row(each)] for each in external]
    if metric is not None:
        ranked = {row.group for row in of_one_version([group[0] for group in groups], metric)}
        groups.sort(key=lambda rows: (rows[0].group not in ranked, _rank(rows[0], metric)))
    rows = [row for group in groups for row in group]
    return rows if reference is None else [*rows, _reference_row(reference)]


def headline(rows: Sequence[Row]) -> str | None:
    """Return the metric that orders a leaderboard (`assay.headline`)."""
    return headlines.headline(
        [{name: estimate.value for name, estimate in row.estimates.items()} for row in rows]
    )


def metric_names(results: Iterable[Result], reference: Reference | None) -> list[str]:
    """Return every metric there is, by protocol and in the order in which each lists its own."""
    names = dict.fromkeys(name for result in results for name in result.estimates)
    names |= dict.fromkeys(reference.estimates if reference else ())
    protocols = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
    return sorted(names, key=lambda name: protocols.index(name.rpartition("/")[0]))


def representatives(rows: Iterable[Row]) -> list[Row]:
    """Return one row a group: its mean over seeds, or its only cell."""
    models = [row for row in rows if row.kind in ("cell", "mean")]
    averaged = {row.group for row in models if row.kind == "mean"}
    return [row for row in models if row.kind == "mean" or row.group not in averaged]


def cells_by_model(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the cells of each model, its seeds, by group and in the order of the rows."""
    models: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind == "cell":
            models.setdefault(row.group, []).append(row)
    return models


def contenders(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that can be the best model: those that were trained here.

    Floors can only where nothing was trained; what others submitted never can: how it was chosen,
    and what it cost, is not known.
    """
    ours = [row for row in rows if row.kind != "external"]
    return [row for row in ours if not row.is_floor] or ours


def no_worse(rows: Sequence[Row], metric: str, than: Row) -> list[Row]:
    """Return the rows whose value of a metric is at least as good as one's, of one version."""
    found = than.estimates[metric]
    sign = 1 if found.better == "higher" else -1
    return [
        row
        for row in rows
        if metric in row.estimates
        and row.estimates[metric].version == found.version
        and sign * (row.estimates[metric].value - found.value) >= 0
    ]


def in_order(results: Iterable[Result], rows: Iterable[Row]) -> list[Result]:
    """Return the results in the order of a leaderboard's rows."""
    by_key = {result.provenance.cell_key: result for result in results}
    return [by_key[row.cell_key] for row in rows if row.cell_key is not None]


def best_and_rivals(rows: Sequence[Row], metric: str) -> tuple[Row | None, list[Row]]:
    """Return the best row of a metric and the others whose intervals overlap its interval.

    Rows whose value is of another version than most have are passed over. Where several models all
    have the same value, none is the best.
    """
    measured = of_one_version(rows, metric)
    values = {row.estimates[metric].value for row in measured}
    if not measured or (len(measured) > 1 and len(values) == 1):
        return None, []
    best = min(measured, key=lambda row: _rank(row, metric))
    top = best.estimates[metric]
    rivals = [
        row
        for row in measured
        if row is not best
        and row.estimates[metric].low <= top.high
        and row.estimates[metric].high >= top.low
    ]
    return best, rivals


def of_one_version(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows with a metric of the version that most trained models have, or the later."""
    measured = [row for row in rows if metric in row.estimates]
    ours = contenders(measured) or measured
    counts = Counter(row.estimates[metric].version for row in ours)
    version = max(counts, key=lambda each: (counts[each], each), default=None)
    return [row for row in measured if row.estimates[metric].version == version]


def _groups(results: Sequence[Result]) -> list[list[Row]]:
    named = names(results)
    keyed = sorted(
        ((_group(result), result) for result in results),
        key=lambda pair: (pair[1].label, pair[0], pair[1].cell["seed"]),
    )
    groups = []
    for group, pairs in groupby(keyed, key=lambda pair: pair[0]):
        cells = [_cell_row(group, result, named) for _, result in pairs]
        groups.append([_mean_row(cells), *cells] if len(cells) > 1 else cells)
    return groups


def _group(result: Result) -> str:
    return digest16({key: value for key, value in result.cell.items() if key != "seed"})


def _cell_row(group: str, result: Result, named: Mapping[str, str]) -> Row:
    made = result.provenance
    return Row(
        kind="cell",
        group=group,
        label=named[made.cell_key],
        variant=result.cell["variant"],
        seeds=(result.cell["seed"],),
        estimates=_measured(result.estimates),
        cost=result.cost,
        hardware=f"{made.device}, {made.threads} thread{'s' if made.threads != 1 else ''}",
        cell_key=made.cell_key,
    )


def _external_row(submission: Submission) -> Row:
    return Row(
        kind="external",
        group=f"external-{submission.slug}",
        label=submission.name,
        variant={},
        seeds=(),
        estimates=_measured(submission.estimates),
        cost=None,
        hardware="",
        cell_key=None,
    )


def _reference_row(reference: Reference) -> Row:
    return Row(
        kind="reference",
        group="reference",
        label=reference.label,
        variant={},
        seeds=(),
        estimates=_measured(reference.estimates),
        cost=None,
        hardware="",
        cell_key=None,
        reference_name=reference.name,
    )


def _measured(estimates: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {name: estimate for name, estimate in estimates.items() if estimate.n > 0}


def _mean_row(cells: Sequence[Row]) -> Row:
    shared = [name for name in cells[0].estimates if _comparable(cells, name)]
    return Row(
        kind="mean",
        group=cells[0].group,
        label=cells[0].label,
        variant=cells[0].variant,
        seeds=tuple(seed for row in cells for seed in row.seeds),
        estimates={name: _over_seeds(name, [c.estimates[name] for c in cells]) for name in shared},
        cost=_mean_cost([row.cost for row in cells if row.cost is not None]),
        hardware="; ".join(dict.fromkeys(row.hardware for row in cells)),
        cell_key=None,
    )


def _mean_cost(costs: Sequence[Cost]) -> Cost:
    plain = [cost.model_dump(exclude_none=True) for cost in costs]
    known = [name for name in plain[0] if all(name in each for each in plain)]
    mean = {name: fmean(each[name] for each in plain) for name in known}
    counts = [name for name in known if isinstance(plain[0][name], int)]
    return Cost.model_validate(mean | {name: round(mean[name]) for name in counts})


def _comparable(cells: Sequence[Row], name: str) -> bool:
    versions = {row.estimates[name].version if name in row.estimates else None for row in cells}
    return len(versions) == 1 and None not in versions


def _over_seeds(name: str, estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean with Student's t interval over seeds, n their number.

    The interval of a fraction is cut to [0, 1], outside of which no value can lie. Where all seeds
    have one value it is the mean of the cells' own: that they are alike is chance.
    """
    mean, ends = mean_over_seeds([estimate.value for estimate in estimates])
    low, high = ends or (fmean(e.low for e in estimates), fmean(e.high for e in estimates))
    if name in FRACTIONS:
        low, high = max(low, 0.0), min(high, 1.0)
    first = estimates[0]
    n, version = len(estimates), first.version
    return Estimate(value=mean, low=low, high=high, n=n, version=version, better=first.better)


def _rank(row: Row, metric: str) -> tuple[bool, float, float, str]:
    """Order rows by a metric, the best first, of equals the surer; those without it come last."""
    estimate = row.estimates.get(metric)
    if estimate is None:
        return True, 0.0, 0.0, row.label
    if estimate.better == "higher":
        return False, -estimate.value, -estimate.low, row.label
    return False, estimate.value, estimate.high, row.label
