"""A potential that is at hand everywhere: effective medium theory, of a few metals (ASE)."""

from ase.calculators import emt

from assay.generation.energies.evaluator import Evaluator


class EMT(Evaluator):
    name = "emt"
    version = "of ase"

    def lacks(self):
        return None

    def calculator(self):
        return emt.EMT()
