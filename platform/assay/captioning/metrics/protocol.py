"""What a protocol of scoring captions is."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import ClassVar, Protocol

from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.resampling import Resamples
from assay.errors import MachineError
from assay.task import Estimate


@dataclass(frozen=True)
class Found:
    """What a protocol says of pairs."""

    estimates: dict[str, Estimate]
    """By `name/metric`."""
    undefined: dict[str, str] = field(default_factory=dict)
    """Metrics that have no value here, and why."""
    remarks: tuple[str, ...] = ()


class CaptionProtocol(Protocol):
    """A way of judging captions, followed exactly, under a version.

    A protocol derives from this class.
    """

    name: ClassVar[str]
    """Before the slash of every metric's name."""

    version: str
    """Changes whenever a number could: results of another version are evaluated again."""

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return the estimates and what has no value."""
        ...


def require(package: str) -> None:
    """Refuse to go on without a package of the extra.

    Raises:
        MachineError: it is not installed; the sentence says how to install it.
    """
    if find_spec(package) is None:
        raise MachineError(
            f"{package} is not installed; run `pip install 'assay-bench[captioning]'`"
        )
