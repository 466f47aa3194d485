"""A reproduction in the terminal."""

from rich.table import Table
from rich.text import Text

from assay.report.tables import headed
from assay.report.wording import estimate_text
from assay.reproduction import Reproduction

_STYLES = {"outside": "bold red", "missing": "bold red", "other version": "yellow"}


def table(found: Reproduction) -> Table:
    """Return the published and the new estimates beside each other, each with its verdict."""
    made = headed(f"cell {found.published.provenance.cell_key}", "metric", "published", "again", "")
    for line in found.lines:
        again = "–" if line.again is None else estimate_text(line.metric, line.again)
        made.add_row(
            line.metric,
            estimate_text(line.metric, line.published),
            again,
            Text(line.verdict, style=_STYLES.get(line.verdict, "green")),
        )
    made.caption = Text(_sentence(found))
    return made


def _sentence(found: Reproduction) -> str:
    counts = {
        verdict: sum(line.verdict == verdict for line in found.lines)
        for verdict in ("same bits", "inside", "outside", "missing", "other version")
    }
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{'Confirmed' if found.confirmed else 'Not confirmed'}: {said or 'no estimate'}"
