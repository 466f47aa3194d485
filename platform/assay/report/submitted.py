"""An external entry in the terminal."""

from rich.table import Table
from rich.text import Text

from assay.report.tables import headed
from assay.report.wording import interval_text, value_text
from assay.submission import Submission


def table(entry: Submission) -> Table:
    """Return what was measured of it, and what was left out."""
    made = headed(f"{entry.name}, external, on {entry.data['name']}", "metric", "value",
                  "95 % interval", "n")  # fmt: skip
    for metric, found in entry.estimates.items():
        interval = interval_text(metric, found)
        made.add_row(metric, value_text(metric, found.value), interval, f"{found.n:,}")
    told = f"{entry.file.records:,} records, {entry.file.rejected:,} rejected"
    made.caption = Text("\n".join([told, *entry.provenance.remarks]))
    return made
