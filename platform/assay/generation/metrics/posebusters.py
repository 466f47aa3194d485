"""PoseBusters: checks that a molecule must pass to be physically plausible, one by one.

Source: Buttenschoen, Morris, Deane, "PoseBusters: AI-based docking methods fail to generate
physically valid poses or generalise to novel sequences", Chem. Sci. 15 (2024) 3130; the package of
its authors, configuration `mol`. A molecule is given to it with the sampled
coordinates and the bonds of `edm`, not sanitised, hydrogens as sampled.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import rdkit
from rdkit import rdBase

from assay.chemistry.molecules import Molecules
from assay.generation.metrics.conformers import conformers, tractable
from assay.generation.metrics.parallel import spread
from assay.generation.metrics.protocol import (
    Scoring,
    ScoringProtocol,
    missing,
    require,
    share,
    sub_sample,
)
from assay.task import Estimate

CHECKED = 100
"""At most this many samples are checked: 50 conformers are made of each, or tried to."""

_MOLECULES_AT_ONCE = 20


class PoseBusters(ScoringProtocol[Molecules]):
    """Shares of samples that pass all checks, and each."""

    name: ClassVar[str] = "posebusters"
    version: ClassVar[str] = "1"
    at_most: ClassVar[int | None] = CHECKED

    def lacks(self) -> str | None:
        """Return how to install posebusters where it is not."""
        return missing("posebusters", "metrics")

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return `posebusters/passed`, of all checks, and `posebusters/<check>`.

        A check that could not be made is not passed. No check is passed by a record that could
        not be read, one without atoms or with a coordinate that is not finite, one of more than
        `MOST_ATOMS` atoms, or one with an atom of more than `MOST_NEIGHBOURS` neighbours.
        """
        require(self)
        total = len(scoring.samples) + scoring.rejected
        chosen = sub_sample(total, CHECKED, scoring.seed)
        readable = scoring.samples.select(chosen[chosen < len(scoring.samples)])
        possible = np.flatnonzero(tractable(readable))
        cuts = range(_MOLECULES_AT_ONCE, len(possible), _MOLECULES_AT_ONCE)
        parts = [readable.select(rows) for rows in np.split(possible, cuts)]
        passed = spread(_checks, parts, scoring.processes)
        names = _check_names()
        counts = {"passed": sum(len(one) == len(names) for one in passed)}
        counts |= {name: sum(name in one for one in passed) for name in names}
        return {
            f"{self.name}/{name}": share(self, count, len(chosen)) for name, count in counts.items()
        }


def _check_names() -> list[str]:
    """Return the checks of the configuration, as the package names its columns."""
    return [
        module.get("rename_outputs", {}).get(check, check).lower().replace(" ", "_")
        for module in _configuration()["modules"]
        for check in module.get("chosen_binary_test_output", [])
    ]


def _configuration() -> dict[str, Any]:
    """Return the configuration `mol`, less a module that gives no check.

    The package lists its slowest module twice, once without a check, and computes it twice.
    """
    from posebusters import PoseBusters as Package

    found = Package(config="mol").config
    modules = [one for one in found["modules"] if one.get("chosen_binary_test_output")]
    return {**found, "modules": modules}


def _checks(molecules: Molecules) -> list[frozenset[str]]:
    """Return the checks that each molecule passes."""
    from posebusters import PoseBusters as Package

    checker = Package(config=_configuration())
    found = []
    with _silence():
        for molecule in conformers(molecules):
            if molecule is None:
                found.append(frozenset())
                continue
            row = checker.bust(molecule).iloc[0]
            passed = [str(name) for name in row.index if _is_true(row[name])]
            found.append(frozenset(passed))
    return found


def _is_true(outcome: object) -> bool:
    return isinstance(outcome, bool | np.bool_) and bool(outcome)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep quiet what the package says of each molecule: it switches RDKit's own log on again."""
    package = logging.getLogger("posebusters")
    level = package.level
    package.setLevel(logging.CRITICAL + 1)
    rdBase.LogToPythonLogger()
    rdkit.log_handler.stream = sys.stderr  # a stream that was closed since would fail every check
    rdkit.log_handler.addFilter(_nothing)
    try:
        yield
    finally:
        rdkit.log_handler.removeFilter(_nothing)
        rdBase.LogToCppStreams()
        package.setLevel(level)


def _nothing(record: logging.LogRecord) -> bool:
    return False
