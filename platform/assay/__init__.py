"""Assay: which model, at what cost, how surely? Benchmarks of models of molecules and graphs.

`assay.cells`, `assay.run`, `assay.evaluate` and `assay.results` are the Python API; they are
loaded when they are asked for, so that `import assay` alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.api import cells, evaluate, results, run

__version__ = "0.1.0"
__all__ = ["__version__", "cells", "evaluate", "results", "run"]


def __getattr__(name: str) -> Any:
    """Return a function of the Python API."""
    if name in __all__:
        return getattr(import_module("assay.api"), name)
    raise AttributeError(f"module 'assay' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what there is, the API included."""
    return sorted({*globals(), *__all__})
