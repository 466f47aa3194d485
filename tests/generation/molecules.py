"""Small padded batches of atoms for the tests of denoisers and processes."""

from assay.conformance.grid import PRIOR, TYPES, grid_molecules, random_atoms

__all__ = ["PRIOR", "TYPES", "grid_molecules", "random_atoms"]
