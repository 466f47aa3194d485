"""logP and QED, of the molecule that EDM's protocol sees in positions and elements."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Crippen

from assay.chemistry.molecules import Molecules
from assay.generation.metrics import edm
from assay.generation.properties.property import Property


class _OfSmiles(Property[Molecules]):
    """A number that RDKit computes of the SMILES; a molecule that is not valid has none."""

    kinds = ("molecules",)

    def of(self, samples: Molecules) -> NDArray[np.float64]:
        """Return (M, 1)."""
        texts = edm.smiles(samples, processes=1)
        with rdBase.BlockLogs():
            values = {text: self._of_text(text) for text in set(filter(None, texts))}
        return np.array([[values.get(text or "", np.nan)] for text in texts]).reshape(-1, 1)

    def _of_text(self, text: str) -> float:
        molecule = Chem.MolFromSmiles(text)
        if molecule is None:
            return float("nan")
        try:
            return self._value(molecule)
        except (ValueError, RuntimeError, ZeroDivisionError):  # RDKit's refusals of odd molecules
            return float("nan")

    @staticmethod
    @abstractmethod
    def _value(molecule: Chem.Mol) -> float: ...


class LogP(_OfSmiles):
    """Octanol-water partition (Wildman, Crippen, J. Chem. Inf. Comput. Sci. 39 (1999) 868)."""

    name = "logp"
    unit = "log10"
    version = f"1 edm {edm.VERSION}"

    @staticmethod
    def _value(molecule: Chem.Mol) -> float:
        return Crippen.MolLogP(molecule)  # pyright: ignore[reportAttributeAccessIssue]


class DrugLikeness(_OfSmiles):
    """Quantitative estimate of drug-likeness (Bickerton et al., Nat. Chem. 4 (2012) 90)."""

    name = "qed"
    unit = "0 to 1"
    version = f"1 edm {edm.VERSION}"

    @staticmethod
    def _value(molecule: Chem.Mol) -> float:
        return QED.qed(molecule)
