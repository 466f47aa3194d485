"""What a search is: the space of settings, what is better, who proposes, who stops early.

Models only: Optuna and Ray do the work in `assay.cluster`. The first half is the `search` section
of a suite; the second half is what a search leaves behind, `search.json`.
"""

import math
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from assay.config import Settings

Better = Literal["higher", "lower"]
Plain = str | int | float | bool
Reals = tuple[float, float]
Integers = tuple[int, int]
Real = float
Flag = bool
Inside = Annotated[float, Field(gt=0, lt=1)]

LARGEST_GRID = 10_000
TPE_STARTUP = 10
NSGA2_POPULATION = 16


class Dimension(Settings):
    """The values of one key: a range, whose ends belong to it, or a choice.

    `{float: [1e-4, 1e-2], log: true}`, `{int: [8, 64], step: 8}`, `{choice: [xs, s]}`.
    """

    float: Reals | None = None
    int: Integers | None = None
    choice: list[Any] | None = None
    log: Flag = False
    step: Real | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_a_range_or_a_choice(self) -> Self:
        kinds = {"float": self.float, "int": self.int, "choice": self.choice}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of float, int, choice (given: {found})")
        if self.choice is not None:
            _require_choice(self.choice, extra=self.log or self.step is not None)
        else:
            self._require_range()
        return self

    def _require_range(self) -> None:
        low, high = self.ends
        if low >= high:
            raise ValueError(f"the range [{low:g}, {high:g}] is empty: give [lowest, highest]")
        if self.log and low <= 0:
            raise ValueError(f"a range with log: true begins above 0, not at {low:g}")
        if self.step is None:
            return
        if self.log:
            raise ValueError("give log or step, not both")
        if self.int is not None and self.step != round(self.step):
            raise ValueError(f"the step of an int is a whole number, not {self.step:g}")
        steps = (high - low) / self.step
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"steps of {self.step:g} from {low:g} do not end at {high:g}")

    @property
    def ends(self) -> tuple[Any, Any]:
        """The lowest and highest value; of a choice, the first and the last."""
        if self.choice is not None:
            return self.choice[0], self.choice[-1]
        found = self.float if self.float is not None else self.int
        assert found is not None
        return found

    @property
    def size(self) -> Real:
        """How many values there are; infinite for a continuous range."""
        if self.choice is not None:
            return len(self.choice)
        low, high = self.ends
        step = self.step or (1 if self.int is not None else 0)
        return round((high - low) / step) + 1 if step else math.inf

    def values(self) -> list[Plain]:
        """Return the values of a finite dimension, in order."""
        if self.choice is not None:
            return self.choice
        (low, high), step = self.ends, self.step or 1
        count = round(self.size)
        if self.int is not None:
            return [low + k * round(step) for k in range(count)]
        # In decimals, as they were written: in floats 0.1 + 2 · 0.1 is more than 0.3.
        first, each = Decimal(repr(low)), Decimal(repr(step))
        return [*(Real(first + k * each) for k in range(count - 1)), high]


def _require_choice(choice: list[Any], extra: bool) -> None:
    if extra:
        raise ValueError("log and step belong to a range; a choice has none")
    odd = [value for value in choice if not isinstance(value, Plain)]
    if odd:
        raise ValueError(f"a choice is among numbers, words, true and false, not {odd[0]!r}")
    if len(choice) < 2 or len(set(map(repr, choice))) < len(choice):
        raise ValueError("a choice has two or more values, all different")


class Objective(Settings):
    """A figure that decides: `val/…` at the end of training, or a metric of the protocol."""

    metric: str = Field(pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_]+)+$")
    better: Better

    @property
    def is_validation(self) -> bool:
        """Known during training, not only after evaluation."""
        return self.metric.startswith("val/")


class Judge(Settings):
    """What both ways of stopping early look at, and from when."""

    metric: str | None = Field(default=None, pattern=r"^val/[A-Za-z0-9_/]+$")
    """The validation figure that is watched; by default the objective, if it is one."""
    better: Better | None = None
    grace: Inside = 0.1
    """No setting is stopped before this share of the budget."""

    @model_validator(mode="after")
    def _metric_and_better_go_together(self) -> Self:
        if (self.metric is None) != (self.better is None):
            raise ValueError("metric and better are given together, or neither")
        return self


class Asha(Judge):
    """Asynchronous successive halving: at each rung the best 1/reduction go on.

    Rungs lie at grace · reduction^k of the budget. Source: Li et al., MLSys 2020, algorithm 2.
    """

    reduction: float = Field(default=3.0, gt=1)

    def rungs(self, budget: float = 1.0) -> tuple[float, ...]:
        """Return where in the budget settings are compared."""
        count = math.ceil(-math.log(self.grace) / math.log(self.reduction) - 1e-9)
        return tuple(self.grace * budget * self.reduction**k for k in range(count))


class Median(Judge):
    """Stops a setting whose best figure is worse than the median of the others' running means.

    Source: Golovin et al., "Google Vizier", KDD 2017, section 3.2.1.
    """

    looks: int = Field(default=10, ge=2, le=100)
    """Settings are compared at every 1/looks of the budget, from `grace` on."""
    least: PositiveInt = 3
    """How many others must have come as far before anyone is stopped."""

    def rungs(self, budget: float = 1.0) -> tuple[float, ...]:
        """Return where in the budget settings are compared."""
        shares = (k / self.looks for k in range(1, self.looks))
        return tuple(share * budget for share in shares if share >= self.grace - 1e-9)


class Scheduler(Settings):
    """Which settings are stopped early: `asha: {…}` or `median: {…}`."""

    asha: Asha | None = None
    median: Median | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.asha is None) == (self.median is None):
            raise ValueError("give asha or median; without a scheduler every trial runs to its end")
        if any(b - a < 0.01 - 1e-9 for a, b in pairwise(self.rungs())):
            raise ValueError(
                "two rungs are less than 1 % of the budget apart: raise grace or reduction"
            )
        if not self.rungs():
            raise ValueError("nobody is ever compared: lower grace")
        return self

    @property
    def name(self) -> str:
        """The name of the rule: asha or median."""
        return "asha" if self.asha is not None else "median"

    @property
    def judge(self) -> Asha | Median:
        """The rule itself."""
        rule = self.asha if self.asha is not None else self.median
        assert rule is not None
        return rule

    def rungs(self, budget: float = 1.0) -> tuple[float, ...]:
        """Return where in the budget, before its end, settings are compared."""
        return self.judge.rungs(budget)


class Search(Settings):
    """The `search` section of a suite: which settings are tried, how many, and what is best."""

    algorithm: Literal["tpe", "nsga2", "random", "grid"] = "tpe"
    trials: PositiveInt | None = None
    """How many settings are tried for each variant; a grid's default is all of it."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of the proposals; the seeds of training are the suite's."""
    objectives: list[Objective] = Field(min_length=1)
    space: dict[str, Dimension] = Field(min_length=1)
    """By dotted keys below `training` or `settings`."""
    scheduler: Scheduler | None = None
    startup: PositiveInt | None = None
    """Of tpe: random trials before the first informed one (10)."""
    population: int | None = Field(default=None, ge=2)
    """Of nsga2: trials in a generation (16)."""

    @property
    def total(self) -> int:
        """How many settings are tried for each variant."""
        size = math.prod(dimension.size for dimension in self.space.values())
        if self.algorithm == "grid":
            return min(round(size), self.trials or round(size))
        assert self.trials is not None
        return self.trials

    @property
    def watched(self) -> Objective | None:
        """What the scheduler compares; None without one."""
        if self.scheduler is None:
            return None
        judge = self.scheduler.judge
        if judge.metric is None or judge.better is None:
            return self.objectives[0]
        return Objective(metric=judge.metric, better=judge.better)

    @model_validator(mode="after")
    def _keys_are_settings(self) -> Self:
        for key in self.space:
            root, _, rest = key.partition(".")
            if root not in ("training", "settings") or not rest:
                raise ValueError(f"space: {key!r} is not below training or settings")
            inside = next((k for k in self.space if k.startswith(f"{key}.")), None)
            if inside:
                raise ValueError(f"space: {inside!r} lies inside {key!r}")
        return self

    @model_validator(mode="after")
    def _algorithm_has_what_it_needs(self) -> Self:
        for name, of in (("startup", "tpe"), ("population", "nsga2")):
            if getattr(self, name) is not None and self.algorithm != of:
                raise ValueError(f"{name} belongs to {of}; {self.algorithm} has none")
        if self.algorithm == "grid":
            self._require_finite()
        elif self.trials is None:
            raise ValueError("key 'trials' is required: how many settings are tried")
        population = self.population or NSGA2_POPULATION
        if self.algorithm == "nsga2" and self.total <= population:
            raise ValueError(
                f"nsga2 with {self.total} trials never leaves its first, random generation of "
                f"{population}: raise trials or lower population"
            )
        return self

    def _require_finite(self) -> None:
        endless = [key for key, dimension in self.space.items() if dimension.size == math.inf]
        if endless:
            raise ValueError(
                f"space: a grid cannot hold all of {endless[0]!r}: give it a step, or a choice"
            )
        size = math.prod(dimension.size for dimension in self.space.values())
        if size > LARGEST_GRID:
            raise ValueError(f"space: a grid of {size:,} settings; at most {LARGEST_GRID:,} fit")

    @model_validator(mode="after")
    def _objectives_can_be_followed(self) -> Self:
        names = [objective.metric for objective in self.objectives]
        if len(set(names)) < len(names):
            raise ValueError("objectives: a metric is given twice")
        if self.scheduler is None:
            return self
        if len(names) > 1 and self.scheduler.judge.metric is None:
            raise ValueError(
                f"scheduler: {self.scheduler.name} compares one figure; with several objectives "
                f"say which, such as {self.scheduler.name}: {{metric: val/loss, better: lower}}"
            )
        if len(names) > 1 and self.algorithm == "tpe":
            raise ValueError(
                "scheduler: tpe cannot learn from stopped trials of several objectives; use nsga2 "
                "or random, or leave the scheduler out"
            )
        if self.scheduler.judge.metric is None and not self.objectives[0].is_validation:
            raise ValueError(
                f"scheduler: {names[0]} is known only at the end; say what to watch, such as "
                f"{self.scheduler.name}: {{metric: val/loss, better: lower}}"
            )
        return self


class OverSeeds(Settings):
    """A figure of one setting over the suite's seeds."""

    mean: float
    low: float | None
    """End of the 95 % interval of the mean (Student's t); None with one seed."""
    high: float | None
    by_seed: dict[str, float]
    better: Better


class Spent(Settings):
    """What the cells of a setting took, together."""

    steps: NonNegativeInt = 0
    samples: NonNegativeInt = 0
    flops: NonNegativeFloat = 0.0
    seconds: NonNegativeFloat = 0.0
    """Of training, and of evaluation where there was one."""


class TrialRecord(Settings):
    """One setting that was tried."""

    number: NonNegativeInt
    state: Literal["complete", "stopped", "failed", "waiting"]
    values: dict[str, Any]
    """By dotted key."""
    objectives: dict[str, OverSeeds] = {}
    rungs: dict[str, float] = {}
    """What the scheduler saw, by per cent of the budget."""
    cells: dict[str, str] = {}
    """Cell key by seed."""
    spent: Spent = Spent()
    reason: str | None = None
    """Why it was stopped or failed."""


class StudyRecord(Settings):
    """The trials of one variant."""

    name: str
    variant: dict[str, str]
    trials: list[TrialRecord]
    best: list[int]
    """Number of the best trial, or of those that no other one beats in every objective."""


class SearchRecord(Settings):
    """A whole search: `search.json`."""

    suite: dict[str, Any]
    studies: list[StudyRecord]
    provenance: dict[str, Any]
