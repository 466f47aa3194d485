"""What is run: a Cell is frozen, complete and hashed; a Suite is a page of YAML naming cells."""

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SerializeAsAny, model_validator

from assay import catalog
from assay.config import (
    Settings,
    apply_overrides,
    choose,
    digest16,
    load_yaml,
    set_dotted,
    validate,
)
from assay.errors import ConfigError
from assay.ladder import WHOLE, Ladder
from assay.resources import EvaluationResources, Resources
from assay.search import Search

Fraction = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
BUDGET_UNITS = ("steps", "samples", "flops", "seconds")


class Budget(Settings):
    """How much a cell may spend, in exactly one unit; comparisons in a suite share one."""

    steps: PositiveInt | None = None
    samples: PositiveInt | None = None
    flops: PositiveFloat | None = None
    seconds: PositiveFloat | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [unit for unit in BUDGET_UNITS if getattr(self, unit) is not None]
        if len(given) != 1:
            listed = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(BUDGET_UNITS)} (given: {listed})")
        return self

    @property
    def unit(self) -> str:
        """The unit that counts: steps, samples, flops or seconds."""
        return next(unit for unit in BUDGET_UNITS if getattr(self, unit) is not None)

    @property
    def amount(self) -> float:
        """The amount of that unit."""
        return float(getattr(self, self.unit))

    def part(self, share: float) -> "Budget":
        """Return a share of it; steps and samples are whole, and at least one."""
        amount = self.amount * share
        whole = self.unit in ("steps", "samples")
        return Budget.model_validate({self.unit: max(1, round(amount)) if whole else amount})


class Hardware(Settings):
    """What a budget in seconds depends on, and so part of the key of such a cell."""

    device: Literal["cpu", "cuda"]
    threads: PositiveInt
    workers: PositiveInt = 1


class DataRef(Settings):
    """A data set by name and by content."""

    name: str
    digest: str = Field(pattern=r"^[0-9a-f]{16,64}$")


class TrainingSettings(Settings):
    """Hyper-parameters of optimisation, common to every family."""

    records: PositiveInt | None = None
    """Distinct training records, drawn by the seed; by default all of the split."""
    batch_size: PositiveInt = 64
    optimizer: Literal["adamw", "adamw_8bit", "muon"] = "adamw"
    """AdamW; the same with moments of 8 bits by bitsandbytes, where a parameter has 4,096 elements
    or more and is no table; or Muon of the matrices within a network and AdamW of the rest, to
    which alone `betas` belong."""
    learning_rate: PositiveFloat = 1e-3
    betas: tuple[Momentum, Momentum] = (0.9, 0.99)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_fraction: Fraction = 0.03
    warmup_steps: PositiveInt | None = None
    """Of schedule constant, instead of a fraction of the budget: then runs that differ in their
    budget alone share all that comes before the shorter one's cool-down (`Cell.trunk`)."""
    cooldown_fraction: Fraction = 0.2
    """Share of the budget in which a constant rate falls to zero; a cosine has none of its own."""
    ema_decay: Momentum = 0.999
    weights: Literal["last", "best"] = "last"
    """Which are evaluated: those at the end of the budget, or those of the best of the
    `validations`, by the figure that the family is chosen by. Both are averaged by `ema_decay`."""
    gradient_clip: PositiveFloat = 1.0
    precision: Literal["fp32", "bf16"] = "fp32"
    validations: int = Field(default=5, ge=0, le=100)
    """How often the validation split is looked at, evenly spread over the budget."""

    def too_long_a_warm_up(self, steps: float) -> str | None:
        """Return why a budget of so many steps does not hold the warm-up; None if it does."""
        begin = (1 - self.cooldown_fraction) * steps
        if self.warmup_steps is None or self.warmup_steps <= begin:
            return None
        return (
            f"warmup_steps {self.warmup_steps}: the cool-down begins at step {math.floor(begin)} "
            "of this budget already"
        )

    @model_validator(mode="after")
    def _warm_up_and_cool_down_fit(self) -> Self:
        if self.weights == "best" and self.validations == 0:
            raise ValueError("weights best are chosen by validation; set validations to 1 or more")
        default = type(self).model_fields["cooldown_fraction"].default
        if self.schedule == "cosine" and self.cooldown_fraction != default:
            raise ValueError("cooldown_fraction belongs to schedule constant; a cosine has none")
        if self.warmup_steps is not None:
            if self.schedule != "constant":
                raise ValueError("warmup_steps belongs to schedule constant; use warmup_fraction")
            if self.warmup_fraction != type(self).model_fields["warmup_fraction"].default:
                raise ValueError("give warmup_fraction or warmup_steps, not both")
            return self
        if self.schedule == "constant" and self.warmup_fraction + self.cooldown_fraction > 1:
            raise ValueError("warmup_fraction + cooldown_fraction exceed the whole budget")
        return self


class Cell(Settings):
    """One experiment, frozen and complete. Equal keys mean the same computation."""

    family: str
    variant: dict[str, str]
    """Of the grid: `{"architecture": "gnn", "process": "diffusion"}`."""
    data: DataRef
    seed: int = Field(ge=0, lt=2**31)
    budget: Budget
    hardware: Hardware | None = None
    training: TrainingSettings = TrainingSettings()
    settings: SerializeAsAny[Settings]
    """The family's own settings, every default filled in."""

    @model_validator(mode="before")
    @classmethod
    def _family_validates_its_own(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and {"family", "variant"} <= data.keys():
            given = data.get("settings", {})
            if isinstance(given, Mapping):
                task = catalog.family(data["family"])
                return {**data, "settings": task.settings(data["variant"], given)}
        return data

    @model_validator(mode="after")
    def _warm_up_ends_before_the_cool_down(self) -> Self:
        per_step = {"steps": 1, "samples": self.training.batch_size}.get(self.budget.unit)
        if per_step is not None:  # of FLOPs and seconds nobody knows before they are measured
            fault = self.training.too_long_a_warm_up(self.budget.amount / per_step)
            if fault is not None:
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _seconds_name_their_hardware(self) -> Self:
        if (self.budget.unit == "seconds") != (self.hardware is not None):
            raise ValueError("hardware belongs to a budget in seconds, and only to one")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a changed copy, whose key is its own."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("key", "trunk"):  # pydantic would copy what is cached
            vars(copied).pop(name, None)
        return copied

    @cached_property
    def key(self) -> str:
        """First 16 hex digits of SHA-256 over the canonical JSON: the run's name everywhere."""
        return digest16(self)

    @cached_property
    def trunk(self) -> str | None:
        """Name of what this cell shares with those of other budgets, None if nothing.

        Under a constant rate with a warm-up in steps, nothing before the cool-down depends on how
        much is to be spent: one run yields many budgets.
        """
        if self.training.warmup_steps is None or self.budget.unit == "seconds":
            return None
        if self.training.weights == "best":
            return None  # validations are spread over the budget
        return digest16(self.model_copy(update={"budget": Budget(steps=1)}))

    @property
    def label(self) -> str:
        """The variant in one word, such as `gnn-flow_matching`."""
        return "-".join(self.variant.values())


class Rule(Settings):
    """Settings that hold only where the variant matches `when`."""

    when: dict[str, str | list[str]]
    """By axis of the grid: its value, or several of which it is one."""
    set: dict[str, Any]
    """Dotted keys below `training` or `settings`, such as `settings.network.size`."""

    def holds(self, variant: Mapping[str, str]) -> bool:
        """Return whether it holds of a variant."""
        return all(variant.get(axis) in _several(each) for axis, each in self.when.items())

    @model_validator(mode="after")
    def _each_value_once(self) -> Self:
        for axis, given in self.when.items():
            if not given:
                raise ValueError(f"when.{axis}: no value is given")
            if len(set(_several(given))) < len(_several(given)):
                raise ValueError(f"when.{axis}: a value is given twice")
        return self


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


class Suite(Settings):
    """A published comparison: a grid of variants × seeds under one budget. One YAML file each."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    family: str
    data: str
    grid: dict[str, list[str]]
    seeds: list[int] = [0]
    budget: Budget
    training: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    rules: list[Rule] = []
    resources: Resources = Resources()
    evaluation: EvaluationResources | None = None
    """Given, a cell is evaluated by a task of its own, while its place trains the next one; the
    cells of several workers always are, by default with what one worker has."""
    search: Search | None = None
    """Which settings `jobs/search.py` tries; the grid itself runs without it."""
    ladder: Ladder | None = None
    """Sizes, numbers of records and shares of the budget, every one with every other."""

    def at_once(self, cpus: float, gpus: float) -> int:
        """Return how many cells run at a time: one, if the budget is in seconds or less fits."""
        if self.budget.unit == "seconds":
            return 1
        return self.resources.at_once(cpus, gpus)

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where its cells are trained."""
        return "cuda" if self.resources.gpus else "cpu"

    @property
    def evaluates_apart(self) -> EvaluationResources | None:
        """What an evaluation takes as a task of its own; None if it is no such task."""
        if self.evaluation is None and self.resources.most_workers > 1:
            return EvaluationResources(cpus=self.resources.cpus, gpus=self.resources.gpus)
        return self.evaluation

    def cells(self, digest: str, device: Literal["cpu", "cuda"] = "cpu") -> tuple[Cell, ...]:
        """Return the suite's cells on the data set with `digest`, variants outermost.

        Raises:
            ConfigError: a key or a combination is wrong; says in which cell.
        """
        return tuple(self.named_cells(digest, device).values())

    def named_cells(self, digest: str, device: Literal["cpu", "cuda"] = "cpu") -> dict[str, Cell]:
        """Return the cells by name, such as `gnn-diffusion s0`; rungs of a ladder outermost.

        Raises:
            ConfigError: as `cells`; two names are of one cell.
        """
        found: dict[str, Cell] = {}
        for rung in self.ladder.rungs() if self.ladder else (WHOLE,):
            for variant in self.variants():
                for seed in self.seeds:
                    words = ("-".join(variant.values()), rung.words, f"s{seed}")
                    name = " ".join(word for word in words if word)
                    found[name] = self._cell(
                        variant, rung.values, seed, digest, device, rung.share, name
                    )
        names: dict[str, str] = {}
        for name, cell in found.items():
            if names.setdefault(cell.key, name) != name:
                raise ConfigError(
                    f"suite {self.name}: {names[cell.key]!r} and {name!r} are the same cell"
                )
        return found

    def variants(self) -> tuple[dict[str, str], ...]:
        """Return the points of the grid, the last axis innermost."""
        names = list(self.grid)
        return tuple(
            dict(zip(names, chosen, strict=True)) for chosen in product(*self.grid.values())
        )

    def setting(
        self,
        variant: dict[str, str],
        values: Mapping[str, Any],
        digest: str,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> tuple[Cell, ...]:
        """Return the cells of one setting: a variant with `values` put in place, one a seed.

        Args:
            variant: A point of the grid.
            values: By dotted keys below `training` or `settings`; they go before the rules.
            digest: Of the data set.
            device: As in `cells`.

        Raises:
            ConfigError: a key or a combination is wrong; says in which cell.
        """
        return tuple(self._cell(variant, values, seed, digest, device) for seed in self.seeds)

    def _cell(
        self,
        variant: dict[str, str],
        values: Mapping[str, Any],
        seed: int,
        digest: str,
        device: str,
        share: float = 1.0,
        name: str = "",
    ) -> Cell:
        data: dict[str, Any] = {
            "family": self.family,
            "variant": variant,
            "data": {"name": self.data, "digest": digest},
            "seed": seed,
            "budget": self.budget.part(share).model_dump(exclude_none=True),
            "training": dict(self.training),
            "settings": apply_overrides(self.settings, ()),
        }
        if self.budget.unit == "seconds":
            each = {"device": device, "threads": self.resources.cpus}
            data["hardware"] = {**each, "workers": self.resources.most_workers}
        for rule in self.rules:
            if rule.holds(variant):
                for key, value in rule.set.items():
                    set_dotted(data, key, value)
        for key, value in values.items():
            set_dotted(data, key, value)
        named = name or "-".join(variant.values())
        return validate(Cell, data, f"suite {self.name}, cell {named}")

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        catalog.family(self.family)
        empty = [name for name, values in self.grid.items() if not values]
        if empty or not self.grid or not self.seeds:
            raise ValueError(f"nothing to run: {(empty or ['grid or seeds'])[0]} is empty")
        for axis, values in (*self.grid.items(), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"{axis}: a value is given twice")
        if self.budget.unit == "seconds" and not isinstance(self.resources.workers, int):
            raise ValueError("a budget in seconds needs a fixed number of resources.workers")
        for rule in self.rules:
            unknown = set(rule.when) - set(self.grid)
            if unknown:
                raise ValueError(f"rule: {sorted(unknown)[0]!r} is no axis of the grid")
            for axis, given in rule.when.items():
                for value in _several(given):
                    choose(f"{axis} in a rule", value, self.grid[axis])
            beside = [key for key in rule.set if key.split(".")[0] not in ("training", "settings")]
            if beside:
                raise ValueError(f"rule: {beside[0]!r} is not below training or settings")
        return self

    @model_validator(mode="after")
    def _searched_settings_make_cells(self) -> Self:
        if self.search is None:
            return self
        if self.ladder is not None:
            raise ValueError(
                "search and ladder: a suite has one of them; search one size at a time"
            )
        space = self.search.space
        ruled = {key for rule in self.rules for key in rule.set} & space.keys()
        if ruled:
            raise ValueError(f"search: {sorted(ruled)[0]!r} is set by a rule, and also searched")
        if self.search.scheduler is not None and self.budget.unit == "seconds":
            raise ValueError(
                "search: a scheduler compares settings at equal shares of a budget in steps, "
                "samples or flops, not in seconds"
            )
        first = {key: dimension.ends[0] for key, dimension in space.items()}
        for variant in self.variants():
            for key, dimension in space.items():
                for value in dimension.choice or dimension.ends:
                    self._try_setting(variant, {**first, key: value})
        return self

    def _try_setting(self, variant: dict[str, str], values: dict[str, Any]) -> None:
        assert self.search is not None
        cell = self.setting(variant, values, "0" * 16)[0]
        if cell.training.validations == 0 and any(o.is_validation for o in self.search.objectives):
            raise ValueError("search: val/… is never looked at with training.validations=0")


def load_suite(path: Path, overrides: tuple[str, ...] = ()) -> Suite:
    """Read a suite's YAML with `--set` overrides.

    Raises:
        ConfigError: as `load_yaml`, `apply_overrides` and `validate`.
    """
    return validate(Suite, apply_overrides(load_yaml(path), overrides), str(path))


def select(named: Mapping[str, Cell], wanted: str) -> Cell:
    """Return the cell of a name or a key; of a name without its seed, the first seed's.

    Args:
        named: As `Suite.named_cells` returns it.
        wanted: Such as `gnn-diffusion s1`, `gnn-diffusion` or `0123456789abcdef`.

    Raises:
        ConfigError: there is none, or a ladder has several; the sentence names the nearest.
    """
    by_key = {cell.key: cell for cell in named.values()}
    if wanted in by_key:
        return by_key[wanted]
    if wanted in named:
        return named[wanted]
    first = {}
    for name, cell in named.items():
        first.setdefault(name.rpartition(" s")[0], cell)
    of_variant = [name for name, cell in first.items() if cell.label == wanted]
    if len(of_variant) > 1:
        raise ConfigError(
            f"cell {wanted!r} is any of {len(of_variant)}, such as {of_variant[0]!r}: name one as "
            "`assay plan` does, or by its key"
        )
    if of_variant:
        return first[of_variant[0]]
    return first[choose("cell", wanted, first)]
