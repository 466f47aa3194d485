"""Speed of the EDM protocol on 10,000 real QM9 molecules, on two processes.

python benchmarks/metrics.py            prints JSON; needs ASSAY_DATA
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from assay.generation.metrics import edm
from assay.store import sets
from assay.store.locations import data_root

MOLECULES = 10_000
REPEATS = 3
PROCESSES = 2


def fastest(work: Callable[[], object]) -> float:
    """Return the shortest of a few wall times, s."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return round(min(times), 3)


def main() -> None:
    """Measure and print."""
    if data_root() is None:
        sys.exit("skipped: set ASSAY_DATA to the folder that holds qm9")
    sets.prepare("qm9")
    packed = sets.open_packed("qm9")
    chosen = np.random.default_rng(0).permutation(len(packed.molecules))[:MOLECULES]
    molecules = packed.molecules.select(chosen)
    estimates = edm.evaluate(molecules, None, PROCESSES)
    report = {
        "data": packed.description,
        "molecules": len(molecules),
        "processes": PROCESSES,
        "cores": os.cpu_count(),
        "stability_seconds": fastest(lambda: edm.stability(molecules)),
        "validity_and_uniqueness_seconds": fastest(
            lambda: len(set(edm.smiles(molecules, PROCESSES)))
        ),
        "the_same_on_one_process_seconds": fastest(lambda: len(set(edm.smiles(molecules, 1)))),
        "evaluate_seconds": fastest(lambda: edm.evaluate(molecules, None, PROCESSES)),
        "metrics": {name: round(estimate.value, 4) for name, estimate in estimates.items()},
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
