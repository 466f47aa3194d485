"""Speed and size of the report: 1,000 cells that nobody ran, as one suite, as ten, of pathways.

python benchmarks/report.py             prints JSON
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from assay.report import build  # noqa: E402
from tests.report.synthetic import write_suite  # noqa: E402
from tests.report.synthetic_pathways import write_pathways  # noqa: E402

LEVELS, SEEDS, SUITES = 10, 10, 10


def measure(folders: list[Path], out: Path) -> dict[str, float]:
    """Return seconds of the clock and of this process, and the page's megabytes."""
    clock, process = time.perf_counter(), time.process_time()
    build(folders, out)
    return {
        "seconds": round(time.perf_counter() - clock, 2),
        "process_seconds": round(time.process_time() - process, 2),
        "page_MB": round(out.stat().st_size / 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    axis = [f"a{k}" for k in range(LEVELS)]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        grid = {"architecture": axis, "process": [f"p{k}" for k in range(LEVELS)]}
        cells = len(write_suite(root / "one", grid=grid, seeds=range(SEEDS)))
        small = {"architecture": axis, "process": ["p"]}
        folders = [root / f"ten{number}" for number in range(SUITES)]
        for folder in folders:
            write_suite(folder, grid=small, seeds=range(SEEDS))
        models = [f"m{k}" for k in range(LEVELS**2)]
        assert write_pathways(root / "pathways", models, range(SEEDS)) == cells
        report = {
            "cells": cells,
            "cores": os.cpu_count(),
            "one_suite": measure([root / "one"], root / "one.html"),
            "ten_suites": measure(folders, root / "ten.html"),
            "pathways": measure([root / "pathways"], root / "pathways.html"),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
