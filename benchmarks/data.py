"""Speed of the data path on one core: opening a prepared set, and size-bucketed collation.

python benchmarks/data.py [NAME]        prints JSON; NAME is mini (default) or qm9
"""

import json
import sys
import time

import numpy as np
import torch

from assay.generation.data.molecules import MoleculeRecords
from assay.store import sets
from assay.training.order import BatchOrder

BATCH = 64
REPEATS = 5


def seconds_to_open(name: str) -> float:
    """Return the median time from the name to a split that gives batches."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        MoleculeRecords(sets.open_packed(name), "train")
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def molecules_per_second(name: str) -> tuple[float, float]:
    """Return the throughput of an epoch of like-sized batches, and its share of padding."""
    packed = sets.open_packed(name)
    train = MoleculeRecords(packed, "train")
    order = BatchOrder(len(train), BATCH, seed=0, lengths=train.lengths)
    batches = [order.indices(step) for step in range(order.batches_per_epoch)]
    rates, places = [], 0
    for _ in range(REPEATS):
        begin = time.perf_counter()
        places = sum(train.batch(indices).mask_BN.numel() for indices in batches)
        rates.append(BATCH * len(batches) / (time.perf_counter() - begin))
    atoms = sum(int(train.lengths[indices].sum()) for indices in batches)
    return float(np.median(rates)), 1 - atoms / places


def main() -> None:
    """Measure and print."""
    name = sys.argv[1] if len(sys.argv) > 1 else "mini"
    torch.set_num_threads(1)
    sets.prepare(name)
    packed = sets.open_packed(name)
    rate, padding = molecules_per_second(name)
    report = {
        "data": packed.description,
        "digest": packed.digest,
        "batch": BATCH,
        "open_seconds": round(seconds_to_open(name), 5),
        "molecules_per_second": round(rate),
        "padding_share": round(padding, 4),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
