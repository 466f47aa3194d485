"""What a protocol of scoring samples is: one file in this folder and one line in the catalog."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.errors import MachineError
from assay.statistics.intervals import Interval, bootstrap, wilson
from assay.store.packed import Split
from assay.task import Estimate

Samples_co = TypeVar("Samples_co", covariant=True)
Samples = TypeVar("Samples")

Better = Literal["higher", "lower"]


class Reference(Protocol[Samples_co]):
    """A prepared data set that samples are held against."""

    @property
    def name(self) -> str:
        """Its name in the catalog of data sets."""
        ...

    @property
    def digest(self) -> str:
        """What names its content: of files that keep what was computed from it."""
        ...

    def of(self, split: Split) -> Samples_co:
        """Return the records of a split."""
        ...


LEAST = 2
"""Samples whose figures are averaged or compared: of one, no spread and so no interval is known."""


@dataclass(frozen=True)
class Scoring(Generic[Samples]):
    """What is scored, and how: what every protocol is given."""

    samples: Samples
    reference: Reference[Samples] | None = None
    """Without it, a protocol leaves out what needs it."""
    rejected: int = 0
    """Further samples that could not be read: they count, and fail whatever can be failed."""
    processes: int = 1
    seed: int = 0
    """Of resampling and of sub-samples."""


class ScoringProtocol(Protocol[Samples]):
    """A published way of judging samples, followed exactly, under a version.

    A protocol derives from this class.
    """

    name: ClassVar[str]
    """Before the slash of every metric's name."""
    version: ClassVar[str]
    """Changes whenever a number could: results of another version are evaluated again."""
    data_row: ClassVar[Split] = "test"
    """The split whose records, scored like samples, are the data's own row.

    A protocol that holds samples against the test split takes another, for a set is at no
    distance from itself; then as many records are scored as there are samples.
    """

    at_most: ClassVar[int | None] = None
    """Of how many samples it looks, drawn with the seed, where all would take too long."""

    @property
    def identity(self) -> str:
        """The version, and whatever else its numbers depend on, as they say it."""
        return self.version

    def lacks(self) -> str | None:
        """Return what must be installed before it can be used, as one sentence, or None."""
        return None

    def evaluate(self, scoring: Scoring[Samples]) -> dict[str, Estimate]:
        """Return the estimates, by `name/metric`.

        Raises:
            MachineError: it `lacks` something.
            DataError: the reference cannot be used.
        """
        ...


def estimated(
    protocol: ScoringProtocol[Samples], value: float, interval: Interval, n: int, better: Better
) -> Estimate:
    """Return an estimate under a protocol's version; its interval never leaves the value out."""
    low, high = min(interval[0], value), max(interval[1], value)
    return Estimate(value=value, low=low, high=high, n=n, version=protocol.identity, better=better)


def mean_of(values: NDArray[np.float64], version: str, better: Better, seed: int) -> Estimate:
    """Return the mean of (S,) values of independent samples with its bootstrap interval.

    The order of the values does not matter.
    """
    value = float(values.mean())
    low, high = bootstrap(np.sort(values), lambda drawn: drawn.mean(axis=-1), seed=seed)
    low, high = min(low, value), max(high, value)
    return Estimate(value=value, low=low, high=high, n=len(values), version=version, better=better)


def share(protocol: ScoringProtocol[Samples], successes: int, n: int) -> Estimate:
    """Return a fraction of independent trials, with Wilson's interval; 0 where there is none."""
    value = successes / n if n else 0.0
    return estimated(protocol, value, wilson(successes, n), n, "higher")


def missing(package: str, extra: str) -> str | None:
    """Return the sentence that says how to install a package of an extra, or None if it is here."""
    if find_spec(package) is not None:
        return None
    return f"{package} is not installed; run `pip install 'assay-bench[{extra}]'`"


def require(protocol: ScoringProtocol[Samples]) -> None:
    """Refuse to use a protocol that lacks something.

    Raises:
        MachineError: it does; the sentence says how to install it.
    """
    sentence = protocol.lacks()
    if sentence is not None:
        raise MachineError(f"protocol {protocol.name}: {sentence}")


def sub_sample(size: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return `most` of the indices below `size`, ascending, drawn with a seed; all if that few."""
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed).permutation(size)[:most])
