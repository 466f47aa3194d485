"""A cell in the terminal: what it is, how far it is, what was measured, what it took."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from assay.report.tables import headed
from assay.report.wording import (
    count_text,
    duration_text,
    interval_text,
    memory_text,
    si_text,
    value_text,
)
from assay.result import Cost, Provenance, Result

if TYPE_CHECKING:
    from assay.lookup import Stored

_STYLES = {"finished": "green", "running": "bold", "interrupted": "yellow", "failed": "red"}


def parts(stored: "Stored") -> Iterator[RenderableType]:
    """Yield what is shown of a cell, from the top to the bottom."""
    yield _head(stored)
    if stored.result is None:
        yield _facts("How far it is", _unfinished(stored))
        return
    yield _estimates(stored.result)
    yield _facts("What it took", _cost(stored.result.cost))
    yield _facts("Where it comes from", _provenance(stored.result.provenance, stored))


def _head(stored: "Stored") -> Table:
    cell = stored.cell
    variant = "-".join(map(str, cell["variant"].values()))
    budget = ", ".join(f"{amount:,} {unit}" for unit, amount in cell["budget"].items() if amount)
    table = _facts(
        f"{variant}, seed {cell['seed']}",
        {
            "key": stored.key,
            "family": cell["family"],
            "data": f"{cell['data']['name']}, digest {str(cell['data'].get('digest'))[:16]}",
            "budget": budget,
            **{part: _settings(cell.get(part) or {}) for part in ("training", "settings")},
        },
    )
    table.add_row("state", Text(stored.state, style=_STYLES[stored.state]))
    table.add_row("files", Text(str(stored.path), overflow="fold"))
    return table


def _unfinished(stored: "Stored") -> dict[str, str]:
    row: Mapping[str, Any] = stored.last_row or {}
    found = {"trained": f"{stored.spent:.0%} of its budget"}
    if "step" in row:
        found["last row"] = f"step {row['step']:,}"
        if "train/loss" in row:
            found["last row"] += f", loss {row['train/loss']:.4f}"
    if stored.reason:
        found["failed"] = stored.reason
    if stored.state != "running":
        step = stored.saved_step
        where = f"step {step:,}" if step else "the beginning"
        found["carries on"] = f"from {where}, by the command that began it"
    return found


def _estimates(result: Result) -> Table:
    made = headed("What was measured", "metric", "value", "95 % interval", "n", "version")
    for metric, found in result.estimates.items():
        made.add_row(
            metric,
            value_text(metric, found.value),
            interval_text(metric, found),
            f"{found.n:,}",
            found.version,
        )
    return made


def _cost(cost: Cost) -> dict[str, str]:
    return {
        "parameters": f"{cost.parameters:,}",
        "training": f"{cost.steps:,} steps, {cost.samples:,} samples, "
        f"{si_text(cost.flops, 'FLOP')}, {duration_text(cost.training_seconds)}",
        "evaluation": duration_text(cost.evaluation_seconds),
        "peak memory": memory_text(cost.peak_memory_bytes),
    }


def _provenance(made: Provenance, stored: "Stored") -> dict[str, str]:
    dirty = ", with uncommitted changes" if made.git_dirty else ""
    packages = ", ".join(f"{name} {version}" for name, version in made.packages.items())
    found = {
        "protocol": made.protocol,
        "data": made.data_description,
        "code": f"assay {made.assay_version}, commit {(made.git_commit or 'unknown')[:10]}{dirty}",
        "packages": f"Python {made.python}, {packages}",
        "machine": f"{made.machine}; {made.device}, {count_text(made.threads, 'thread')}, "
        f"{count_text(made.workers, 'worker')}",
        "made": made.created_utc,
    }
    if made.resumed:
        found["resumed"] = f"{made.resumed} times"
    if made.quarantined:
        found["quarantined"] = f"{made.quarantined} checkpoints"
    path = stored.path if stored.path.is_file() else stored.path / "result.json"
    return found | {"make it again": f"assay reproduce {path}"}


def _settings(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in _leaves("", data) if value is not None)


def _leaves(path: str, data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(f"{path}.{key}" if path else key, value)
    else:
        yield path, data


def _facts(title: str, facts: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify, table.title_style = f"\n{title}", "left", "bold"
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in facts.items():
        if text:
            table.add_row(name, Text(text))
    return table
