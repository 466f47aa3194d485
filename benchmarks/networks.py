"""Speed of the architectures: training molecules a second and FLOP rate, on the mini set.

    python benchmarks/networks.py [xs|s|m|l|xl]

One JSON line an architecture. `share_of_matmul` is the FLOP rate as a share of what a square matrix
product reaches in the same run, on one thread: a ratio that a busy machine changes least.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from assay.generation.catalog import ARCHITECTURES
from assay.generation.data.molecules import MoleculeRecords
from assay.generation.denoiser import Atoms, Denoiser, Interface
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from assay.store import sets
from assay.training.draws import Draws
from assay.training.meter import measure_flops

BATCH = 64
REPEATS = 5


def least_seconds(compute: Callable[[], object]) -> float:
    """Return the least time of a few repetitions, in CPU seconds of this process."""
    took = []
    for _ in range(REPEATS):
        started = time.process_time()
        compute()
        took.append(time.process_time() - started)
    return min(took)


def matmul_rate() -> float:
    """Return FLOP/s of a 1,024 × 1,024 product in fp32."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return 2 * 1024**3 / least_seconds(lambda: a @ b)


def main(size: str) -> None:
    """Measure every architecture at one size."""
    torch.set_num_threads(1)
    sets.prepare("mini")
    batch = MoleculeRecords(sets.open_packed("mini"), "train").batch(np.arange(BATCH))
    clean = Atoms(batch.positions_BN3 / 1.72, batch.types_BN, batch.mask_BN)
    process = FlowMatching(FlowMatchingSettings(), torch.full((5,), 0.2))
    point = process.path(clean, Draws(0, 0, batch.record_ids))
    peak = matmul_rate()
    for name in ARCHITECTURES:
        kind = architecture(name)
        interface = Interface(FreeSpace(5), process.heads)
        network = kind(kind.Settings.model_validate({"size": size}), interface)

        def step(network: Denoiser = network) -> None:
            network.zero_grad()
            prediction = process.predict(network, point.atoms, point.time_B, None)
            parts = [part.mean() for part in process.losses(prediction, point).values()]
            torch.stack(parts).sum().backward()

        _, flops = measure_flops(step)
        seconds = least_seconds(step)
        row = {
            "benchmark": "training step",
            "architecture": name,
            "size": size,
            "parameters": sum(p.numel() for p in network.parameters()),
            "atoms_padded": int(batch.types_BN.shape[1]),
            "molecules_per_second": round(BATCH / seconds),
            "gflop_per_second": round(flops / seconds / 1e9, 1),
            "share_of_matmul": round(flops / seconds / peak, 3),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "xs")
