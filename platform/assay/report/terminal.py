"""A leaderboard in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from assay.report.leaderboard import Row, leaderboard, metric_names
from assay.report.wording import duration_text, interval_text, short_title, si_text, value_text
from assay.result import Reference, Result

ONE_SEED = "One seed: intervals cover evaluation, not training."
SEVERAL_SEEDS = "Means over seeds: intervals are Student's t over the seeds."


_NAME_WIDTH = 15


def terminal_table(results: Sequence[Result], reference: Reference | None) -> Table:
    """Return the leaderboard as a Rich table of 80 columns; the reference is set apart below.

    It has room for the protocol that cells are judged by; the caption names what else is measured.
    """
    rows = leaderboard(results, reference)
    measured = metric_names(results, reference)
    protocols = list(dict.fromkeys(name.partition("/")[0] for name in measured))
    metrics = [name for name in measured if name.partition("/")[0] in protocols[:1]]
    averaged = any(row.kind == "mean" for row in rows)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption_justify="left")
    table.caption = f"Below each value its 95 % interval. {SEVERAL_SEEDS if averaged else ONE_SEED}"
    if len(protocols) > 1:
        table.caption += f" Also measured, and in the report: {', '.join(protocols[1:])}."
    if reference is None:
        table.caption += " The reference row has not been computed."
    table.add_column("cell", overflow="fold")
    for metric in metrics:
        table.add_column(short_title(metric), justify="right", no_wrap=True)
    table.add_column("cost of\ntraining", justify="right", no_wrap=True)
    for row in rows:
        if row.kind == "reference":
            table.add_section()
        style = {"cell": "dim" if averaged else "", "mean": "", "reference": "bold"}[row.kind]
        table.add_row(*_cells(row, metrics, averaged), style=style)
    return table


def _cells(row: Row, metrics: Sequence[str], several_seeds: bool) -> list[str]:
    reference = [f"{row.reference_name}:", row.label]
    lines = [_folded(value) for value in row.variant.values()] or reference
    lines += row.apart.split(", ") if row.apart else []
    lines += ["(floor)"] if row.is_floor else []
    if several_seeds and row.seeds:
        lines.append(f"mean of {len(row.seeds)}" if row.kind == "mean" else f"seed {row.seeds[0]}")
    cost = ""
    if row.cost is not None:
        flops, seconds = si_text(row.cost.flops, "FLOP"), duration_text(row.cost.training_seconds)
        cost = f"{flops}\n{seconds}"
    return [escape("\n".join(lines)), *(_measured(row, metric) for metric in metrics), cost]


def _folded(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name.replace("_", "_\n")


def _measured(row: Row, metric: str) -> str:
    estimate = row.estimates.get(metric)
    if estimate is None:
        return "–"
    interval = interval_text(metric, estimate).replace(", ", ",\n")
    return f"{value_text(metric, estimate.value)}\n{escape(interval)}"
