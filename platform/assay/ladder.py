"""A ladder: which sizes, how many records, which budgets a scaling law is measured at."""

from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, model_validator

from assay.config import Settings

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Rung:
    """One point of a ladder."""

    words: str
    values: dict[str, Any]
    """By dotted keys below `training` or `settings`."""
    share: float
    """Of the suite's budget."""


WHOLE = Rung("", {}, 1.0)


class Ladder(Settings):
    """Every size with every number of records at every share of the budget."""

    sizes: list[dict[str, Any]] = [{}]
    """Each by dotted keys below `training` or `settings`, with the learning rate that it takes:
    `{settings.network.size: s, training.learning_rate: 1.5e-3}`."""
    records: list[PositiveInt | None] = [None]
    """Distinct training records; null is all of them."""
    budgets: list[Share] = [1.0]
    """Shares of the suite's budget. With schedule constant and `warmup_steps` the larger begin
    where the smaller cool down (`Cell.trunk`), so that a size costs little more than its largest
    budget."""

    @model_validator(mode="after")
    def _rungs_differ(self) -> Self:
        for name in ("sizes", "records", "budgets"):
            given = getattr(self, name)
            if not given:
                raise ValueError(f"{name} is empty")
            if any(value in given[:place] for place, value in enumerate(given)):
                raise ValueError(f"{name} holds a value twice")
        for size in self.sizes:
            beside = [key for key in size if key.split(".")[0] not in ("training", "settings")]
            if beside:
                raise ValueError(f"{beside[0]!r} is not below training or settings")
            if "training.records" in size:
                raise ValueError("a size holds training.records; numbers of them go to records")
        if len(set(self._size_words())) < len(self.sizes):
            raise ValueError("two sizes have the same words; give one a value of another kind")
        return self

    def rungs(self) -> tuple[Rung, ...]:
        """Return all points, budgets outermost and ascending.

        So a cell seldom runs beside the one whose beginning it shares.
        """
        return tuple(
            Rung(
                self._words(of_size, records, share),
                size if records is None else {**size, "training.records": records},
                share,
            )
            for share, (size, of_size), records in product(
                sorted(self.budgets),
                zip(self.sizes, self._size_words(), strict=True),
                self.records,
            )
        )

    def _words(self, of_size: str, records: int | None, share: float) -> str:
        words = [of_size] if of_size else []
        if len(self.records) > 1:
            words.append("all records" if records is None else f"{records} records")
        if len(self.budgets) > 1:
            words.append(f"{share:.12g} of the budget")
        return ", ".join(words)

    def _size_words(self) -> list[str]:
        """Return what sizes are called: by settings, or by all keys where these are equal."""

        def words(plain: bool) -> list[str]:
            return [
                ", ".join(
                    f"{key.rpartition('.')[2]}={value}"
                    for key, value in size.items()
                    if not (plain and key.startswith("training."))
                )
                for size in self.sizes
            ]

        by_settings = words(plain=True)
        return by_settings if len(set(by_settings)) == len(self.sizes) else words(plain=False)
