"""What RDKit says of molecules given as SMILES: properties, fingerprints, fragments, scaffolds.

Definitions are those of MOSES (Polykovskiy et al., Frontiers in Pharmacology 11 (2020) 565644) and
its public code. Every function works on a list of SMILES, so that it can be sent to a process.

Shapes: S molecules, F = 1024 bits of a fingerprint, packed into F / 8 bytes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Crippen, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from assay.generation.metrics.parallel import spread

BITS = 1024
RADIUS = 2

_RINGS_OF_A_SCAFFOLD = 2
_MOLECULES_AT_ONCE = 500


@dataclass(frozen=True)
class Description:
    """One molecule."""

    qed: float
    """Quantitative estimate of drug-likeness (Bickerton et al., Nat. Chem. 4 (2012) 90)."""
    sa: float
    """Synthetic accessibility, 1 easy to 10 hard (Ertl, Schuffenhauer, J. Cheminf. 1 (2009) 8)."""
    logp: float
    """Octanol-water partition (Wildman, Crippen, J. Chem. Inf. Comput. Sci. 39 (1999) 868)."""
    fingerprint: bytes
    """Morgan bits of radius 2, packed."""
    fragments: tuple[str, ...]
    """SMILES of what remains when every BRICS bond is cut, the cuts marked."""
    scaffold: str | None
    """SMILES of the Bemis-Murcko scaffold, if it has two rings or more."""


def describe(texts: Sequence[str], processes: int = 1) -> list[Description | None]:
    """Describe molecules; None for a SMILES that RDKit cannot read, or that it fails on.

    Args:
        texts: SMILES; each distinct one is worked on once.
        processes: as in `assay.generation.metrics.parallel.spread`.
    """
    distinct = sorted(set(texts))
    cuts = range(0, len(distinct), _MOLECULES_AT_ONCE)
    parts = [distinct[begin : begin + _MOLECULES_AT_ONCE] for begin in cuts]
    found = dict(zip(distinct, spread(_describe, parts, processes), strict=True))
    return [found[text] for text in texts]


def unpacked(fingerprints: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return (S, F / 8) packed bits as bytes of an array."""
    return np.frombuffer(b"".join(fingerprints), dtype=np.uint8).reshape(-1, BITS // 8)


def _describe(texts: Sequence[str]) -> list[Description | None]:
    with rdBase.BlockLogs():
        return [_description(text) for text in texts]


def _description(text: str) -> Description | None:
    molecule = Chem.MolFromSmiles(text)
    if molecule is None:
        return None
    try:
        return Description(
            qed=QED.qed(molecule),
            sa=_accessibility().calculateScore(molecule),
            logp=Crippen.MolLogP(molecule),  # pyright: ignore[reportAttributeAccessIssue]
            fingerprint=_fingerprint(molecule),
            fragments=tuple(Chem.MolToSmiles(Chem.FragmentOnBRICSBonds(molecule)).split(".")),
            scaffold=_scaffold(molecule),
        )
    except (ValueError, RuntimeError, ZeroDivisionError):  # RDKit's refusals of odd molecules
        return None


def _fingerprint(molecule: Chem.Mol) -> bytes:
    return np.packbits(_generator().GetFingerprintAsNumPy(molecule)).tobytes()


def _scaffold(molecule: Chem.Mol) -> str | None:
    scaffold = MurckoScaffold.GetScaffoldForMol(molecule)
    if scaffold.GetRingInfo().NumRings() < _RINGS_OF_A_SCAFFOLD:
        return None
    return Chem.MolToSmiles(scaffold)


@cache
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@cache
def _accessibility() -> Any:
    return import_module("rdkit.Contrib.SA_Score.sascorer")


def counted(groups: Sequence[Sequence[str]]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the distinct names of all groups, sorted, and how often each occurs."""
    totals = Counter(name for group in groups for name in group)
    names = sorted(totals)
    return np.array(names, dtype=np.str_), np.array([totals[name] for name in names], dtype=int)
