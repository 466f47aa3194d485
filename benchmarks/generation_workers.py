"""Speed of the architectures in a cell of several workers of one thread each (`workers: 2`).

    python benchmarks/generation_workers.py [--workers 2] [architecture …]

JSON lines. Networks and batches are those of `generation.py share`: each worker has its part of a
batch, gradients are averaged by gloo, and a step ends when all have them. FLOPs are those of all
workers, and so is the rate of the matrix product, which all compute at the same time. Times are the
least of a few repeats that alternate between steps and products: wall seconds of the slowest. fp32.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
from generation import (
    BATCH,
    NETWORKS,
    PRODUCTS,
    REPEATS,
    SIDE,
    Measured,
    denoiser,
    parameters,
    point_of,
    processor,
    show,
    step_of,
    training_batches,
)
from torch.multiprocessing.spawn import spawn

from assay.generation.data.molecules import MoleculeBatch, MoleculeRecords
from assay.generation.denoiser import Denoiser
from assay.store import sets
from assay.store.locations import data_root
from assay.training.allocation import keep_freed_memory
from assay.training.meter import measure_flops
from assay.training.parallel import DistributedWorkers

BATCHES = 5


def main(names: Sequence[str], workers: int) -> None:
    """Start the workers; the first one shows what was measured."""
    unknown = set(names) - set(NETWORKS)
    if unknown:
        raise SystemExit(f"no architecture {sorted(unknown)[0]!r}; there are {', '.join(NETWORKS)}")
    data = "qm9" if data_root() is not None else "mini"
    sets.prepare(data)
    machine = {"processor": processor(), "workers": workers, "torch": torch.__version__}
    show({**machine, "data": data})
    with tempfile.TemporaryDirectory() as directory:
        given = (workers, f"file://{directory}/meeting", data, list(names) or list(NETWORKS))
        spawn(work, given, workers)


def work(rank: int, count: int, meeting: str, data: str, names: Sequence[str]) -> None:
    """Be one of the workers."""
    torch.set_num_threads(1)
    keep_freed_memory()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    workers = DistributedWorkers("ddp", "cpu")
    records = MoleculeRecords(sets.open_packed(data), "train")
    mine = [part_of(batch, workers) for batch in training_batches(records, BATCHES)]
    for name in names:
        network = denoiser(name, NETWORKS[name])
        wrapped = cast(Denoiser, workers.wrap(network))
        steps = [step_of(wrapped, network, point_of(batch)) for batch in mine]
        of = measure(steps, workers)
        row = {
            "architecture": name,
            "parameters": parameters(network),
            **of.row(),
            "molecules_per_second": round(BATCH * BATCHES / of.seconds),
        }
        workers.on_first(lambda row=row: show({"question": "workers", **row}))
    dist.destroy_process_group()


def part_of(batch: MoleculeBatch, workers: DistributedWorkers) -> MoleculeBatch:
    """Return this worker's part of a batch, padded as the batch is."""
    rows = torch.arange(len(batch)).tensor_split(workers.count)[workers.rank]
    tensors = (batch.record_ids, batch.positions_BN3, batch.types_BN, batch.mask_BN)
    return MoleculeBatch(*(tensor[rows] for tensor in tensors))


def measure(steps: Sequence[Callable[[], None]], workers: DistributedWorkers) -> Measured:
    """Time steps and products of matrices in turns, all workers together."""
    (flops,) = workers.sum([sum(measure_flops(step)[1] for step in steps)])
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)

    def products() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, b)

    timed = [*steps, products]
    least = np.full(len(timed), np.inf)
    for _ in range(REPEATS):
        least = np.minimum(least, [seconds_of(compute, workers) for compute in timed])
    rate = workers.count * PRODUCTS * 2 * SIDE**3 / float(least[-1])
    return Measured(float(least[:-1].sum()), flops, rate)


def seconds_of(compute: Callable[[], None], workers: DistributedWorkers) -> float:
    """Return the seconds until the slowest worker is done, from when all have begun."""
    workers.sum([0.0])
    begun = time.perf_counter()
    compute()
    return max(workers.gather(time.perf_counter() - begun))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("architectures", nargs="*", help="all, if none is given")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    main(given.architectures, given.workers)
