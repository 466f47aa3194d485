"""A comparison in the terminal."""

import math
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from assay.report.comparison import Comparison, seeds_text
from assay.report.tables import headed
from assay.report.wording import COSTS, FRACTIONS, metric_title, si_text, value_text
from assay.statistics.factorial import Effect, Factorial
from assay.statistics.intervals import Interval


def tables(found: Comparison) -> Iterator[Table]:
    """Yield the models, the effects, and the best model against every other."""
    yield _models(found)
    yield _costs(found)
    yield from _effects(found)
    yield _pairs(found)


def _models(found: Comparison) -> Table:
    made = headed(metric_title(found.figure), "model", "mean", "95 %", "middle half", "rank")
    ranks = {} if isinstance(found.ranks, str) else dict(
        zip(found.ranks.names, found.ranks.ranks_K.tolist(), strict=True)
    )  # fmt: skip
    for model in found.models:
        made.add_row(
            model.name, _value(found, model.mean), _ends(found, model.ends),
            "–" if model.middle is None else _value(found, model.middle),
            f"{ranks[model.name]:.2f}" if model.name in ranks else "–",
        )  # fmt: skip
    said = f"{found.better} is better. Seeds {', '.join(map(str, found.seeds))}"
    said += f", without {', '.join(map(str, found.left_out))}" if found.left_out else ""
    said += ". "
    if isinstance(found.ranks, str):
        said += f"No ranks: {found.ranks}"
    else:
        said += (
            f"Ranks differ that are {found.ranks.critical_difference:.2f} apart (Nemenyi, seeds as "
            f"blocks); that all are alike: p = {found.ranks.p:.2g}"
        )
    made.caption = Text(said)
    return made


def _costs(found: Comparison) -> Table:
    made = headed("What they cost", "model", *COSTS.values())
    for model in found.models:
        costs = (
            si_text(value) + (" •" if cost in model.fronts else "")
            for cost, value in model.costs.items()
        )
        made.add_row(model.name, *costs)
    made.caption = Text("• no model is as good and cheaper, or better and as cheap")
    return made


def _effects(found: Comparison) -> Iterator[Table]:
    variance = headed("What differences come from", "source", "degrees", "share", "p")
    effects = found.effects
    if isinstance(effects, str):
        variance.caption = Text(effects)
        yield variance
        return
    words = {"rows": found.axes[0], "columns": found.axes[1]}
    for source in effects.sources:
        p = "" if source.p is None else f"{source.p:.2g}"
        name = words.get(source.name, source.name)
        variance.add_row(name, str(source.degrees), f"{source.share:.1%}", p)
    variance.caption = Text(f"noise of one run {_size(found, effects.noise)}")
    yield variance
    main = headed(f"Against the mean, {_value(found, effects.mean)}", "level", "effect", "95 %")
    for effect in _named(effects):
        ends = f"{_size(found, effect.low, '+')} to {_size(found, effect.high, '+')}"
        main.add_row(" × ".join(effect.levels), _size(found, effect.value, "+"), ends)
    yield main


def _named(effects: Factorial) -> tuple[Effect, ...]:
    return (*effects.rows, *effects.columns, *effects.interaction)


def _pairs(found: Comparison) -> Table:
    best = found.models[0].name
    made = headed(f"{best}, less …", "model", "difference", "95 %", "p (Holm)", "wins",
                  "seeds needed")  # fmt: skip
    if isinstance(found.pairs, str):
        made.caption = Text(found.pairs)
        return made
    of_best = [pair for pair in found.pairs if pair.difference.one == best]
    for pair in of_best:
        off = pair.difference
        made.add_row(
            off.other, _size(found, off.mean, "+"),
            "–" if off.low is None or off.high is None
            else f"{_size(found, off.low, '+')} to {_size(found, off.high, '+')}",
            f"{off.p_adjusted:.2g}", f"{pair.improvement:.0%}", seeds_text(pair.seeds),
        )  # fmt: skip
    count = math.comb(len(found.models), 2)
    made.caption = Text(
        f"p by Holm's method over all {count} pairs; seeds needed to find the difference that was "
        "seen, 80 times in 100. Intervals are each for itself, and the best was chosen on these "
        "runs"
    )
    return made


def _value(found: Comparison, value: float) -> str:
    return value_text(found.figure, value)


def _size(found: Comparison, value: float, sign: str = "") -> str:
    if found.figure in FRACTIONS:
        return f"{100 * value:{sign}.1f}"
    return f"{value:{sign}.3g}"


def _ends(found: Comparison, ends: Interval | None) -> str:
    return "–" if ends is None else " to ".join(_value(found, end) for end in ends)
