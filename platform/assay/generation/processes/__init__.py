"""Generative processes: one file each, named in `assay.generation.catalog`."""
