"""What another data set was worth, on the page: gain curves and their table."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from assay.report.plain_tables import plain
from assay.report.transfer import ARMS, Row, read, records_title, table, title_of

FILE = "transfer.json"


def study_context(identity: str, folder: Path) -> dict[str, Any]:
    """Return the variables of `assets/transfer.html`.

    Args:
        identity: prefix of the study's anchors in the page.
        folder: where `jobs/transfer.py` left its comparison.

    Raises:
        DataError: the comparison is unreadable.
    """
    rows = read(folder / FILE)
    targets = [list(of) for _, of in groupby(rows, key=lambda row: (row.target, row.source))]
    panels = dict.fromkeys((row.target, row.source, row.metric) for row in rows)
    return {
        "id": identity,
        "name": folder.name,
        "template": "transfer.html",
        "tables": [plain(table(of_target)) for of_target in targets],
        "charts": {
            "gains": [
                {
                    "title": f"{target}, from {source}: {title_of(metric)}",
                    "records": f"training records of {target}",
                    "lines": _lines([r for r in rows if (r.target, r.source, r.metric) == panel]),
                }
                for panel in panels
                for target, source, metric in [panel]
            ],
        },
    }


def _lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a line for every model and arm, in per cent; of one seed without an interval."""
    models = list(dict.fromkeys(row.model for row in rows))
    arms = list(ARMS)
    lines = dict.fromkeys((row.model, row.arm) for row in rows)
    return [
        {
            "name": f"{model}: {ARMS[arm]}",
            "style": [arms.index(arm), models.index(model)],
            "points": [
                [records_title(r.records), *(None if v is None else 100 * v
                                             for v in (r.mean, r.low, r.high))]
                for r in rows
                if (r.model, r.arm) == (model, arm)
            ],
        }
        for model, arm in lines
    ]  # fmt: skip
