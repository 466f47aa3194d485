"""What a run has spent: steps, samples, FLOPs, seconds and memory."""

import resource
import sys
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from assay.cell import Budget

T = TypeVar("T")


@dataclass
class Meter:
    """Spending so far; `seconds` are those of training alone."""

    step: int = 0
    samples: int = 0
    flops: float = 0.0
    seconds: float = 0.0

    def spent(self, budget: Budget) -> float:
        """Return the fraction of the budget that is spent; 1 or more means done."""
        used = {
            "steps": self.step,
            "samples": self.samples,
            "flops": self.flops,
            "seconds": self.seconds,
        }
        return used[budget.unit] / budget.amount


@dataclass
class FlopTable:
    """FLOPs of a step by its workload, each workload measured once.

    The table belongs to a checkpoint, so that a resumed run measures the same steps that an
    undisturbed one would.
    """

    flops: dict[str, float] = field(default_factory=dict)

    def run(self, workload: Hashable, compute: Callable[[], T]) -> tuple[T, float]:
        """Run `compute`, measured if its workload is new; return its result and its FLOPs."""
        key = repr(workload)
        if key in self.flops:
            return compute(), self.flops[key]
        result, self.flops[key] = measure_flops(compute)
        return result, self.flops[key]


def _attention_on_the_cpu(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
    return sdpa_flop_count(query, key, value)


_ALSO_COUNTED = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_on_the_cpu,
}
"""Kernels that torch's own table leaves out: attention without gradients on the CPU."""


def measure_flops(compute: Callable[[], T]) -> tuple[T, float]:
    """Run `compute` under torch.utils.flop_counter; return its result and its FLOPs."""
    with FlopCounterMode(display=False, custom_mapping=_ALSO_COUNTED) as counter:
        result = compute()
    return result, float(counter.get_total_flops())


def start_peak_memory(device: torch.device) -> None:
    """Forget earlier peaks, so that a process that runs several cells reports each one's own."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # "5" resets the peak resident set of this process (man 5 proc); elsewhere than on Linux, or
    # where it is not permitted, the peak is that of the process's whole life.
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_bytes(device: torch.device) -> int:
    """Return peak memory: allocated on a GPU, the resident set of the process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
