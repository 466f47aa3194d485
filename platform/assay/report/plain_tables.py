"""The terminal's tables for the page: one place says what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class PlainTable:
    """A table as text; the first column names its rows."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    """What stands below it."""


def plain(table: Table) -> PlainTable:
    """Return the text of a terminal's table."""
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    return PlainTable(
        title=str(table.title or ""),
        headings=[str(column.header) for column in table.columns],
        rows=list(zip(*columns, strict=True)),
        caption=str(table.caption or ""),
    )
