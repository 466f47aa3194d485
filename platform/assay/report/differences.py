"""What the page says of a suite with several seeds: which differences are more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import DataError
from assay.report.plain_tables import PlainTable, plain
from assay.report.wording import FRACTIONS, metric_title
from assay.result import Result

MOST_PAIRED = 30
"""Models up to which the page compares the best with every other."""


@dataclass(frozen=True)
class Differences:
    """The comparison of a suite's models by one figure, as `assay compare` prints it."""

    metric: str
    title: str
    tables: Sequence[PlainTable]
    chart: dict[str, Any] | None
    """Main effects with their intervals; None where there are none."""


def differences(
    results: Sequence[Result], metrics: Sequence[str], headline: str | None, brief: bool = False
) -> list[Differences]:
    """Compare models by the headline, and show the effects on every other figure.

    Without two seeds that all models have there is nothing to tell, and the list is empty.

    Args:
        results: of a suite.
        metrics: its figures.
        headline: the one by which pairs and ranks are compared, too.
        brief: leave out the other figures.
    """
    if headline is None or len({result.cell["seed"] for result in results}) < 2:
        return []
    from assay.report.comparison import compare
    from assay.report.comparison_tables import tables

    found = []
    of_best = "best" if len({result.label for result in results}) <= MOST_PAIRED else "none"
    for metric in [headline, *(each for each in metrics if each != headline and not brief)]:
        is_first = metric == headline
        try:
            compared = compare(results, metric, of_best if is_first else "none")
        except DataError:  # it is not measured of every cell
            continue
        chart = None if isinstance(compared.effects, str) else _chart(compared)
        if len(compared.seeds) < 2 or not (is_first or chart):
            continue
        models, costs, *effects, pairs = (plain(table) for table in tables(compared))
        shown = [models, costs, *effects, pairs] if is_first else [models, *effects]
        found.append(Differences(metric, metric_title(metric), shown, chart))
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
