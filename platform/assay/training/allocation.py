"""What a process does with memory that it has freed.

A training step frees what the next one asks for again. The C library gives large pieces back to the
system at once, and every page of them is then faulted in and zeroed anew: 40 % of the time of a
step on a graph of interactions. Told to keep them, it does.
"""

import ctypes
import os
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Of glibc's mallopt(3)."""
_KEPT = 2**31 - 1
"""Bytes at most; what is free beyond goes back."""


@cache
def keep_freed_memory() -> bool:
    """Let this process keep up to 2 GiB of freed memory; say whether it does.

    It does not where the C library is not glibc, which changes nothing but the time, nor where
    glibc's own variables (`MALLOC_TRIM_THRESHOLD_` and its like) already say what to do.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
