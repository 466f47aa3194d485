"""The command that a drill disturbs and gives again: `python -m assay.cluster.drills.driver`.

It is the job file `jobs/benchmark_grid.py` without its report, for an installed package has no
job files.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from assay.cell import load_suite
from assay.cluster.drills.suite import AT_ONCE, CHECKPOINT_SECONDS
from assay.cluster.grid import Options, run_suite
from assay.errors import AssayError


def main() -> int:
    """Run the suite; return 0 if every cell is finished, 1 if one failed, 2 at bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--storage", type=Path, required=True)
    parser.add_argument("--cell", dest="cells", action="append", default=[])
    given = parser.parse_args()
    options = Options(
        only=tuple(given.cells), max_concurrent=AT_ONCE, checkpoint_seconds=CHECKPOINT_SECONDS
    )
    console = Console(width=200)
    try:
        outcome = run_suite(load_suite(given.suite), given.storage, options, console)
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    for name, reason in outcome.failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)  # noqa: T201
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
