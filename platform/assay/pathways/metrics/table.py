"""Lays out what `assay evaluate pathways` found, for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_REASONS_SHOWN = 5
_SMALL = 0.01
_ROUNDING = 1e-12


def table(document: Mapping[str, Any]) -> Table:
    """Return a document of `evaluate_file` as a table, with 95 % intervals.

    Beside each number is what it alone depends on (σ, bins, limits); what all numbers of a family
    depend on (kernel, numbers of graphs) is below the table.
    """
    provenance = document["provenance"]
    reference = provenance.get("reference")
    own_row = reference["metrics"] if reference else {}
    found = Table(box=box.SIMPLE_HEAD, caption_justify="left", padding=(0, 1))
    found.add_column(Text(provenance["samples"]))
    for heading in ("value", "95 % interval", "n", *([reference["name"]] if own_row else [])):
        found.add_column(Text(heading), justify="right", no_wrap=True)
    shared = _shared(document)
    for family, version in provenance["versions"].items():
        found.add_row(Text(f"{family}, version {version}", style="bold"))
        for name, estimate in document["metrics"].items():
            if name.startswith(f"{family}/"):
                own = [part for part in _how(estimate) if part not in shared[family]]
                label = Text(f"  {name.partition('/')[2]}")
                label.append("".join(f", {part}" for part in own), style="dim")
                row = [label, *_cells(estimate)]
                if own_row:
                    row.append(_number(own_row.get(name, {}).get("value")))
                found.add_row(*row)
        found.add_section()
    found.caption = Text("\n".join(_remarks(document)))
    return found


def _how(estimate: Mapping[str, Any]) -> list[str]:
    """Return what a number depends on, as its version says it."""
    text = estimate["version"].partition(": ")[2]
    return text.split(", ") if text else []


def _shared(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, of each family, what all of its numbers depend on, of those that depend on any."""
    found: dict[str, list[str]] = {}
    for family in document["provenance"]["versions"]:
        own = [v for k, v in document["metrics"].items() if k.startswith(f"{family}/")]
        parts = [how for how in map(_how, own) if how]
        common = [part for part in parts[0] if all(part in how for how in parts)] if parts else []
        found[family] = common if len(parts) > 1 else []
    return found


def _remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the caption: how it was measured, what was left out, the data, rejected lines."""
    provenance, rejected = document["provenance"], document["rejected"]
    for family, parts in _shared(document).items():
        if parts:
            yield f"{family}: {', '.join(parts)}"
    for name, why in provenance["left_out"].items():
        yield f"{name}: {why}"
    records: dict[str, list[str]] = {}
    for family, which in provenance.get("reference", {}).get("records", {}).items():
        records.setdefault(which, []).append(family)
    for which, families in records.items():
        name = provenance["reference"]["name"]
        yield f"{name}: {which} by the same code ({', '.join(families)})"
    if rejected:
        shown = rejected[:_REASONS_SHOWN]
        more = f", the first {len(shown)}" if len(shown) < len(rejected) else ""
        yield f"{len(rejected):,} of {provenance['records']:,} records rejected{more}:"
        yield from (f"line {entry['record']}: {entry['reason']}" for entry in shown)


def _cells(estimate: Mapping[str, Any]) -> list[str]:
    low, high = _number(estimate["low"]), _number(estimate["high"])
    return [_number(estimate["value"]), f"{low} - {high}", f"{estimate['n']:,}"]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) < _ROUNDING or abs(value) >= _SMALL:
        return f"{value:.4f}"
    return f"{value:.2e}".replace("e-0", "e-")
