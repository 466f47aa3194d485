"""Scaling laws beside a suite's results, as `jobs/scaling_laws.py` left them, for the page."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from assay.config import Settings
from assay.report.plain_tables import PlainTable
from assay.report.wording import FRACTIONS, metric_title, si_text
from assay.result import read_settings
from assay.task import Estimate

FOLDER = "laws"
_TABLE_STEP = 3


class _Kept(Settings):
    """A part of a law's file; old files outlive new keys."""

    model_config = ConfigDict(extra="ignore")


class KeptCurve(_Kept):
    """The law over one variable, with its band where it is known."""

    name: str
    along: str
    x: list[float]
    value: list[float | None]
    low: list[float | None]
    high: list[float | None]


class Law(_Kept):
    """What `assay scaling fit --json` writes."""

    metrics: dict[str, Estimate]
    refused: dict[str, dict[str, Any]]
    forms: list[dict[str, Any]]
    passed_over: str | None
    largest_budget: dict[str, Any]
    best_sizes: dict[str, Any]
    isoflop: dict[str, Any]
    curves: list[KeptCurve] = Field(default_factory=list)
    """Files of before curves were kept have none."""
    provenance: dict[str, Any]

    @property
    def formula(self) -> str:
        """The form that was chosen."""
        return next(str(form["formula"]) for form in self.forms if form["chosen"])


@dataclass(frozen=True)
class NamedLaw:
    """A law with the runs that it was fitted to."""

    label: str
    figure: str
    law: Law
    path: Path
    runs: Sequence[Mapping[str, float]]
    """`params`, `samples`, `loss` and, where they are known, `flops`."""

    @property
    def title(self) -> str:
        """Return what was fitted of which variant."""
        return f"{self.label}: {self.loss_title}"

    @property
    def loss_title(self) -> str:
        """Return what the law is of: a fraction counts as what is missing from 1."""
        title = metric_title(self.figure)
        return f"1 - {title}" if self.figure in FRACTIONS else title


def read_laws(folder: Path) -> list[NamedLaw]:
    """Read the laws of a suite's published folder, by variant and figure.

    Raises:
        DataError: a law or its runs are unreadable; names the file.
    """
    return [_read(path) for path in sorted((folder / FOLDER).glob("*.json"))]


def _read(path: Path) -> NamedLaw:
    from assay.statistics.scaling.runs import read_runs

    label, _, figure = path.stem.partition(".")
    protocol, _, metric = figure.partition(".")
    law = read_settings(Law, path)
    found = read_runs(path.with_name(str(law.provenance["runs"])))
    columns = {"params": found.params_R, "samples": found.samples_R, "loss": found.loss_R}
    columns |= {} if found.flops_R is None else {"flops": found.flops_R}
    rows = [dict(zip(columns, row, strict=True)) for row in
            zip(*(column.tolist() for column in columns.values()), strict=True)]  # fmt: skip
    return NamedLaw(label, f"{protocol}/{metric}", law, path, rows)


def refusals(found: NamedLaw) -> list[str]:
    """Return in words what the runs do not tell."""
    law = found.law
    said = [f"{_short(name)} is not known: {each['reason']}." for name, each in law.refused.items()]
    said += [f"{law.passed_over}."] if law.passed_over else []
    for title, part in (
        ("The largest budget is not foretold", law.largest_budget),
        ("No best sizes", law.best_sizes),
        ("No IsoFLOP parabolas", law.isoflop),
    ):
        said += [f"{title}: {part['reason']}."] if "reason" in part else []
        said += [f"Left out of the parabolas: {each}." for each in part.get("left_out", ())]
    if not law.curves:
        said.append("The curve was not kept with this law: fit it again to see it with its band.")
    return said


def tables(found: NamedLaw) -> Iterator[PlainTable]:
    """Yield the parameters, the forms, and the parts that were not refused."""
    law = found.law
    known = [
        (_short(name), f"{e.value:.4g}", f"{e.low:.4g} to {e.high:.4g}")
        for name, e in law.metrics.items()
    ]
    unknown = [(_short(name), "not known", "") for name in law.refused]
    count = law.provenance["n"]
    yield PlainTable(
        f"{law.formula}, {count} runs", ("Parameter", "Value", "95 %"), known + unknown
    )
    if len(law.forms) > 1:
        least = law.forms[0]["aicc"]
        rows = [
            (
                str(form["formula"]), "yes" if form["chosen"] else "",
                str(form["parameters"]), _plain(form["aicc"]),
                _plain(None if None in (form["aicc"], least) else form["aicc"] - least),
            )
            for form in law.forms
        ]  # fmt: skip
        yield PlainTable("Forms", ("Form", "Chosen", "Parameters", "AICc", "Over the best"), rows)
    yield from _held_out(law.largest_budget)
    yield from _sizes("Best sizes", law.best_sizes, _TABLE_STEP)
    yield from _sizes("IsoFLOP parabolas", law.isoflop, 1)


def chart(found: NamedLaw) -> dict[str, Any]:
    """Return what the page draws: the runs, and the law with its band."""
    along = found.law.curves[0].along if found.law.curves else "samples"
    beside = "samples" if along == "params" else "params"
    return {
        "title": found.title,
        "loss": found.loss_title,
        "along": along,
        "beside": beside,
        "curves": [curve.model_dump(exclude={"along"}) for curve in found.law.curves],
        "runs": [
            [row[along], row["loss"], row[beside]] for row in found.runs if along in row
        ],
    }  # fmt: skip


def command(found: NamedLaw) -> str:
    """Return what makes the law again from its runs."""
    runs = found.path.with_name(str(found.law.provenance["runs"]))
    return f"assay scaling fit {runs.name} --json {found.path.name}"


def _held_out(part: Mapping[str, Any]) -> Iterator[PlainTable]:
    if "reason" in part:
        return
    rows = [
        (
            f"{run['loss']:.4g}", f"{run['value']:.4g}", f"{run['low']:.4g} to {run['high']:.4g}",
            f"{run['value'] / run['loss'] - 1:+.1%}",
        )
        for run in part["runs"]
    ]  # fmt: skip
    said = (
        f"mean error {math.expm1(part['error']):+.2%}, "
        f"{part['times_further']:.1f} times further than was fitted"
    )
    if part["begun_with_others"]:
        said += f"; {part['begun_with_others']} of these runs began as runs that were fitted"
    yield PlainTable(
        "The largest budget, held out", ("Seen", "Foretold", "95 %", "Error"), rows, said
    )


def _sizes(title: str, part: Mapping[str, Any], step: int) -> Iterator[PlainTable]:
    if "reason" in part:
        return
    names = [name for name in ("params", "samples", "loss") if name in part["budgets"][0]]
    rows = [
        (si_text(each["flops"], "FLOP"), *(_ends(each[name]) for name in names))
        for each in part["budgets"][::step]
    ]
    powers = "; ".join(
        f"{quantity} ~ C^{power}, {power} = {_ends(part[power])}"
        for quantity, power in (("N*", "a"), ("D*", "b"))
    )
    fall = part.get("resamples_that_fall", 1)
    if fall < 1:
        powers += f"; intervals are of the {fall:.1%} of resamples in which both powers fall"
    yield PlainTable(title, ("FLOPs", *(name.capitalize() for name in names)), rows, powers)


def _ends(found: Mapping[str, Any]) -> str:
    value = "not known" if found.get("reason") else _plain(found["value"])
    return f"{value} [{_plain(found['low'])}, {_plain(found['high'])}]"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _short(name: str) -> str:
    return name.removeprefix("scaling/")
