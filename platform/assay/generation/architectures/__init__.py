"""Denoisers: one file each, named in `assay.generation.catalog`."""
