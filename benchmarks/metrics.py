"""Speed of the metrics on real records: EDM's of 10,000 molecules, CDVAE's of 1,000 crystals.

    python benchmarks/metrics.py [molecules] [crystals]

JSON lines, both without an argument; needs ASSAY_DATA. Molecules are of QM9, on one and on two
processes; crystals of MP-20's test split, in this process. Times are the shortest of a few, s.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from assay.generation.metrics import cdvae, edm
from assay.generation.metrics.crystal_matching import firsts
from assay.generation.metrics.crystal_validity import (
    compositionally_valid,
    is_smact_valid,
    structurally_valid,
)
from assay.generation.metrics.protocol import Scoring
from assay.store import sets
from assay.store.locations import data_root
from assay.task import Estimate

MOLECULES = 10_000
CRYSTALS = 1_000
REPEATS = 3
PROCESSES = 2

Row = dict[str, object]


def main(questions: Sequence[str]) -> None:
    """Measure and print."""
    if data_root() is None:
        raise SystemExit("skipped: set ASSAY_DATA to the folder that holds qm9 and mp20")
    answers = {"molecules": molecules_row, "crystals": crystals_row}
    for question in questions or answers:
        if question not in answers:
            raise SystemExit(f"no question {question!r}; there are {', '.join(answers)}")
        print(json.dumps({"question": question, **answers[question]()}), flush=True)


def molecules_row() -> Row:
    """Time EDM's protocol."""
    sets.prepare("qm9")
    packed = sets.open_packed("qm9")
    chosen = np.random.default_rng(0).permutation(len(packed.molecules))[:MOLECULES]
    molecules = packed.molecules.select(chosen)
    return {
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
        "metrics": shown(edm.evaluate(molecules, None, PROCESSES)),
    }


def crystals_row() -> Row:
    """Time CDVAE's validity, and what costs more: the fingerprints of coverage, the matcher."""
    sets.prepare("mp20")
    packed = sets.open_packed("mp20")
    test = packed.crystals_of("test")
    crystals = test.select(np.random.default_rng(0).permutation(len(test))[:CRYSTALS])
    protocol = cdvae.CDVAE()
    # What smact reads is read here, once a process.
    compositionally_valid(crystals.select([0]))

    def composition() -> None:
        is_smact_valid.cache_clear()
        compositionally_valid(crystals)

    def both() -> None:
        is_smact_valid.cache_clear()
        protocol.evaluate(Scoring(crystals))

    return {
        "data": packed.description,
        "crystals": len(crystals),
        "structural_validity_seconds": fastest(lambda: structurally_valid(crystals)),
        "compositional_validity_seconds": fastest(composition),
        "validity_with_intervals_seconds": fastest(both),
        "fingerprints_seconds": fastest(lambda: cdvae.fingerprints(crystals)),
        "uniqueness_seconds": fastest(lambda: firsts(crystals)),
        "metrics": shown(protocol.evaluate(Scoring(crystals))),
    }


def fastest(work: Callable[[], object]) -> float:
    """Return the shortest of a few wall times, s."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return round(min(times), 3)


def shown(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Return the values of metrics."""
    return {name: round(estimate.value, 4) for name, estimate in estimates.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", nargs="*", help="both, if none is given")
    main(parser.parse_args().questions)
