"""What is wrong with a record: refused at once, or left out, counted and listed."""

from collections import Counter
from dataclasses import dataclass, field

from assay.errors import DataError


@dataclass
class Faults:
    """The faults of one source.

    A user's file is refused at its first fault. A published set is packed without the records that
    are at fault, and says which they are.
    """

    refuse: bool = True
    found: list[tuple[str, str]] = field(default_factory=list)
    """Kind and sentence of each."""

    def add(self, kind: str, sentence: str) -> None:
        """Note a fault.

        Args:
            kind: What is counted, as a plural: "pathways of fewer than 3 nodes".
            sentence: What, where and what to do.

        Raises:
            DataError: faults are refused.
        """
        if self.refuse:
            raise DataError(sentence)
        self.found.append((kind, sentence))

    def counted(self) -> str:
        """Return "371 superpathways, 2 of more than 50 nodes", in the order of first appearance."""
        counts = Counter(kind for kind, _ in self.found)
        return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())

    def sentences(self) -> list[str]:
        """Return what was left out, a line each."""
        return [sentence for _, sentence in self.found]
