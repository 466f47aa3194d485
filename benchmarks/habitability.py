"""What climates of planets cost.

    python benchmarks/habitability.py [cubes] [--planets N] [--threads N] [--repeats N]

One JSON line a row; all questions without an argument. Seconds are medians, by the clock and by the
processor: on a machine that does something else, too, the second is the smaller.

cubes  climates of drawn planets as the set `planets` has them, from their starts to a recorded year
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from assay.habitability.data.planets import PHYSICS
from assay.habitability.data.population import draw_known, dress
from assay.habitability.simulator.run import global_mean, simulate

SEED = 0


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[argparse.Namespace], Iterator[dict[str, Any]]]] = {
        "cubes": cubes
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(questions))
    parser.add_argument("--planets", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    unknown = set(given.questions) - set(questions)
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are {', '.join(questions)}")
    for question in given.questions or questions:
        for row in questions[question](given):
            print(json.dumps({"question": question, **row}), flush=True)


def cubes(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time the climates of planets of all kinds of stars."""
    bodies = dress(draw_known(np.random.default_rng(SEED), given.planets), 1, SEED)
    clock, processor = [], []
    climates = simulate(bodies.planets.select(np.arange(2)), PHYSICS, threads=1)  # warms up
    for _ in range(given.repeats):
        begun, used = time.perf_counter(), time.process_time()
        climates = simulate(bodies.planets, PHYSICS, threads=given.threads)
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    balance = global_mean(climates.absorbed_W_m2) - global_mean(climates.emitted_W_m2)
    yield {
        "planets": len(climates),
        "locked": int(bodies.planets.locked.sum()),
        "threads": given.threads,
        "seconds": round(statistics.median(clock), 1),
        "processor_seconds": round(statistics.median(processor), 1),
        "settled": round(float((climates.drift_K < PHYSICS.settled_K).mean()), 3),
        "balance_W_m2_median": round(float(np.median(np.abs(balance))), 3),
    }


if __name__ == "__main__":
    main()
