"""What climates of planets cost, and what it costs to train on them.

    python benchmarks/habitability.py [cubes] [steps] [--planets N] [--threads N] [--repeats N]

One JSON line a row; all questions without an argument. Seconds are medians, by the clock and by the
processor: on a machine that does something else, too, the second is the smaller.

cubes  climates of drawn planets as the set `planets` has them, from their starts to a recorded year
steps  steps of the default system, cross-attention of size s, on `mini_planets`: 32 planets read,
       losses, gradients and AdamW; and how many of them five minutes hold
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay.cell import load_suite
from assay.habitability.data.planets import PHYSICS
from assay.habitability.data.population import draw_known, dress
from assay.habitability.simulator.run import global_mean, simulate
from assay.habitability.task import HabitabilityTask
from assay.store import sets
from assay.training.optimizer import ModelOptimizer

SEED = 0
SUITE = Path(__file__).parents[1] / "sweeps" / "habitability_mini.yaml"
DEFAULT = ("rules=[]", "grid={fusion: [cross_attention]}")
STEPS, FIVE_MINUTES = 20, 300.0


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[argparse.Namespace], Iterator[dict[str, Any]]]] = {
        "cubes": cubes,
        "steps": steps,
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


def steps(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Time training steps, the first of which warms up."""
    torch.set_num_threads(given.threads)
    cell = load_suite(SUITE, DEFAULT).cells(sets.prepare("mini_planets").digest)[0]
    task = HabitabilityTask(cell)
    (stage,) = task.stages()
    train, model = task.data().train, task.model(task.data())
    optimizer = ModelOptimizer(model, cell.training)
    draw, clock, processor = np.random.default_rng(SEED), [], []
    for step in range(1 + STEPS * given.repeats):
        begun, used = time.perf_counter(), time.process_time()
        batch = train.batch(draw.choice(len(train), cell.training.batch_size, replace=False))
        model.zero_grad()
        task.loss(model, batch, stage, step).total.backward()
        optimizer.step(cell.training.learning_rate)
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    seconds = statistics.median(clock[1:])
    yield {
        "parameters": sum(each.numel() for each in model.parameters()),
        "batch": cell.training.batch_size,
        "threads": given.threads,
        "seconds": round(seconds, 4),
        "processor_seconds": round(statistics.median(processor[1:]), 4),
        "steps_in_five_minutes": int(FIVE_MINUTES / seconds),
    }


if __name__ == "__main__":
    main()
