"""Assay: which model, at what cost, how surely? Benchmarks of models of molecules and graphs."""

__version__ = "0.1.0"
