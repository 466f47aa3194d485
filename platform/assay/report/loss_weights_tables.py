"""Whether tuning the weights of losses is worth it, in words and in the terminal's tables."""

import math
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from assay.report.comparison import seeds_text
from assay.report.loss_weights import Against, Findings, Measured, Verdict
from assay.report.loss_weights_arms import titles
from assay.report.tables import headed
from assay.report.wording import metric_title
from assay.statistics.importance import Importance


def answer(found: Findings) -> str:
    """Return the answer to "is tuning worth it here?", with intervals."""
    verdict = found.verdict
    if isinstance(verdict, str):
        return f"Is tuning the weights worth it here? It cannot be said: {verdict}."
    words = titles([each.rival for each in verdict.against])
    parts = "; ".join(_against(each, words[each.rival]) for each in verdict.against)
    return f"Is tuning the weights worth it here? {_opening(verdict)}: {parts}."


def tables(found: Findings) -> Iterator[Table]:
    """Yield the ways, and what matters among the weights."""
    yield _ways(found)
    yield _importances(found)


def _opening(verdict: Verdict) -> str:
    if verdict.answer == "yes":
        return "Yes, tuned weights lose less against single-task models than what they are held to"
    if verdict.answer == "no":
        return "No, they are worse than a way that costs no tuning of weights"
    return "Not shown: the difference is within its interval of none"


def _against(each: Against, rival: str) -> str:
    less = "less" if each.difference.value <= 0 else "more"
    size, ends = abs(each.difference.value), ""
    if each.difference.low is not None and each.difference.high is not None:
        ends = f", 95 % from {100 * each.difference.low:+.1f} to {100 * each.difference.high:+.1f},"
    said = f"{100 * size:.1f} points {less} than {rival}{ends} over {each.seeds} seeds"
    if each.needed is None or _is_told(each.difference):
        return said
    return f"{said} (some {seeds_text(each.needed)} would tell a difference as large as this)"


def _is_told(difference: Measured) -> bool:
    low, high = difference.low, difference.high
    return low is not None and high is not None and not low <= 0 <= high


def _ways(found: Findings) -> Table:
    metrics = [
        f"{metric_title(metric)} {'↑' if better == 'higher' else '↓'}"
        for metric, better in found.metrics.items()
    ]
    made = headed(
        "Ways of weighing, on seeds that chose nothing",
        "way", "trials", "Δm, % ↓", "volume ↑", *metrics,
    )  # fmt: skip
    words = titles([way.name for way in found.ways])
    for way in sorted(found.ways, key=lambda way: _place(way.delta_m)):
        made.add_row(
            words[way.name] + (" •" if way.on_front else ""),
            str(way.complete),
            _text(way.delta_m, 100, "+.1f"),
            _text(way.volume, 1, ".3f"),
            *(_text(way.again.get(metric, "–"), 1, ".4g") for metric in found.metrics),
        )
    reasons = {way.delta_m for way in found.ways if isinstance(way.delta_m, str)}
    said = "• no other way is as good in every metric and better in one. Δm: mean relative loss "
    said += "against models of one task. Volume: what the search's own trials command, of the box "
    said += "between the best of all trials and the worst that counts. "
    said += ". ".join(sorted(reasons))
    made.caption = Text(said)
    return made


def _importances(found: Findings) -> Table:
    columns: dict[str, list[Importance] | str] = {
        **{metric_title(metric): each for metric, each in found.of_variance.items()},
        "reaching the front": found.of_reaching_the_front,
    }
    made = headed("What matters in the search of weights, %", "setting", *columns)
    known = {name: each for name, each in columns.items() if not isinstance(each, str)}
    keys = [each.name for each in next(iter(known.values()), [])]
    for key in keys:
        made.add_row(
            key.rpartition(".")[2],
            *(_share(known[name], key) if name in known else "–" for name in columns),
        )
    said = f"Were nothing to matter, each would have {100 / len(keys):.0f}. " if keys else ""
    reasons = dict.fromkeys(each for each in columns.values() if isinstance(each, str))
    made.caption = Text(said + ". ".join(reasons))
    return made


def _share(found: Sequence[Importance], key: str) -> str:
    each = next(each for each in found if each.name == key)
    return f"{100 * each.share:.0f} [{100 * each.low:.0f}, {100 * each.high:.0f}]"


def _text(measured: Measured | str, unit: float, form: str) -> str:
    if isinstance(measured, str):
        return "–"
    value = f"{unit * measured.value:{form}}"
    if measured.low is None or measured.high is None:
        return value
    return f"{value} [{unit * measured.low:{form}}, {unit * measured.high:{form}}]"


def _place(measured: Measured | str) -> float:
    return math.inf if isinstance(measured, str) else measured.value
