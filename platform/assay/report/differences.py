"""What the page says of a suite with several seeds: which differences are more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import DataError
from assay.report.plain_tables import PlainTable, plain
from assay.report.wording import FRACTIONS, metric_title
from assay.result import Result

MOST_PAIRED = 30
"""Models of which the page compares every pair, and shows the effects on every figure."""


@dataclass(frozen=True)
class Differences:
    """The comparison of a suite's models by one figure, as `assay compare` prints it."""

    metric: str
    title: str
    tables: Sequence[PlainTable]
    chart: dict[str, Any] | None
    """Main effects with their intervals; None where there are none."""


def differences(
    results: Sequence[Result], metrics: Sequence[str], headline: str | None
) -> list[Differences]:
    """Compare models by every figure that can be compared, the headline first.

    Without two seeds that all models have there is nothing to tell, and the list is empty. Of more
    than `MOST_PAIRED` models only the headline is compared.
    """
    if headline is None or len({result.cell["seed"] for result in results}) < 2:
        return []
    from assay.report.comparison import compare
    from assay.report.comparison_tables import tables

    found = []
    for metric in [headline, *(each for each in metrics if each != headline)]:
        try:
            compared = compare(results, metric, MOST_PAIRED)
        except DataError:
            continue
        if len(compared.seeds) < 2:
            break
        chart = None if isinstance(compared.effects, str) else _chart(compared)
        if metric != headline and chart is None:
            continue
        shown = [plain(table) for table in tables(compared)]
        found.append(Differences(metric, metric_title(metric), shown, chart))
        if len(compared.models) > MOST_PAIRED:
            break
    return found


def _chart(compared: Any) -> dict[str, Any]:
    effects, scale = compared.effects, 100 if compared.figure in FRACTIONS else 1
    return {
        "unit": "points" if scale == 100 else metric_title(compared.figure),
        "panels": [
            {
                "title": f"Effect of {axis}",
                "levels": [effect.levels[0] for effect in part],
                "values": [[scale * e.value, scale * e.low, scale * e.high] for e in part],
            }
            for axis, part in zip(compared.axes, (effects.rows, effects.columns), strict=True)
        ],
    }
