"""A small data set that needs no network: molecules enumerated by rules and embedded by RDKit.

Scaffolds of up to six heavy atoms carry up to two groups; what would not keep in a bottle is left
out. Geometries are ETKDGv3 (Wang, Witek, Landrum and Riniker, J. Chem. Inf. Model. 60, 2044, 2020)
relaxed in MMFF94 (Halgren, J. Comput. Chem. 17, 490, 1996). The chemistry is real, if small; its
numbers are for trying things out and compare with no published ones.

Shapes: N atoms of a molecule, hydrogens included.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.chemistry.checks import check_molecules
from assay.chemistry.molecules import Molecules
from assay.generation.data.molecule_set import MoleculeSet
from assay.store.packed import SPLITS
from assay.store.sets import Built, Watch

if TYPE_CHECKING:
    from rdkit.Chem import Mol

SCAFFOLDS = (
    # chains
    *("C", "CC", "CCC", "C=C", "CC=C", "C#C", "CC#C", "COC", "CNC", "CO", "CN", "CC#N"),
    # carbonyls
    *("C=O", "CC=O", "CC(C)=O", "NC=O", "OC=O", "COC=O", "CNC=O", "NC(N)=O"),
    # three- and four-membered rings
    *("C1CC1", "C1CO1", "C1CN1", "C1CCC1", "C1COC1", "C1CNC1", "O=C1CCC1"),
    # five-membered rings
    *("C1CCCC1", "C1CCOC1", "C1CCNC1", "C1=CCCC1", "C1COCO1", "O=C1CCCC1"),
    *("c1ccoc1", "c1cc[nH]c1", "c1cnc[nH]1", "c1cn[nH]c1", "c1cocn1", "c1conc1"),
    # six-membered rings
    *("c1ccccc1", "c1ccncc1", "c1cncnc1", "C1CCCCC1", "C1CCOCC1", "C1CCNCC1", "C1COCCO1"),
)
GROUPS = ("F", "O", "N", "C", "OC", "C#N", "C=O")
"""Each is bound by its first atom in place of a hydrogen."""

GROUPS_A_SCAFFOLD = 2
MAX_HEAVY_ATOMS = 7

UNSTABLE = (
    "[#7,#8]F",  # hypofluorites, fluoroamines
    "[#7,#8]-!@[#7,#8]",  # peroxides, hydroxylamines, hydrazines
    "[CX4]([F,OX2,NX3])[OX2H,NX3;!H0]",  # hemiacetals, aminals, and what loses HF
    "C=C[OX2H,NX3;!H0]",  # enols and enamines, which tautomerise
    "C#C[O,N,F]",  # ynols, ynamines
)

DECIMALS = 4
"""Of coordinates in Å: coarser than what differs between machines, finer than matters."""

_MINIMISER_STEPS = 2000


class MiniSet(MoleculeSet):
    """The enumerated molecules."""

    name = "mini"
    title = "enumerated CHNOF molecules, MMFF94 geometries"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.generation.data.mini"
    version = 1
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Enumerate, embed and check.

        Raises:
            DataError: RDKit made an absurd geometry.
        """
        smiles = enumerate_smiles()
        geometries = {}
        for number, one in enumerate(smiles):
            watch("embed", number / len(smiles))
            geometry = embed(one)
            if geometry is not None:
                geometries[one] = geometry
        return pack(smiles, geometries)


MINI = MiniSet()


def enumerate_smiles() -> list[str]:
    """Return the canonical SMILES that the rules allow, the smallest molecules first."""
    from rdkit import Chem

    generation = {Chem.CanonSmiles(scaffold) for scaffold in SCAFFOLDS}
    found = set(generation)
    groups = [Chem.MolFromSmiles(group) for group in GROUPS]
    for _ in range(GROUPS_A_SCAFFOLD):
        parents = (Chem.MolFromSmiles(smiles) for smiles in generation)
        generation = {child for parent in parents for child in _children(parent, groups)} - found
        found |= generation
    unstable = [Chem.MolFromSmarts(pattern) for pattern in UNSTABLE]
    heavy_atoms = {}
    for smiles in found:
        molecule = Chem.MolFromSmiles(smiles)
        if not any(molecule.HasSubstructMatch(pattern) for pattern in unstable):
            heavy_atoms[smiles] = molecule.GetNumAtoms()
    return sorted(heavy_atoms, key=lambda smiles: (heavy_atoms[smiles], smiles))


def embed(smiles: str) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """Return atomic numbers (N,) and positions (N, 3) in Å, or None where MMFF94 does not converge.

    The seed is a function of the SMILES, so that a molecule is the same in any company.
    """
    from rdkit import Chem
    from rdkit.Chem.rdDistGeom import EmbedMolecule, ETKDGv3
    from rdkit.Chem.rdForceFieldHelpers import MMFFOptimizeMolecule

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    parameters = ETKDGv3()
    parameters.randomSeed = _hash(smiles) % 2**31
    if EmbedMolecule(molecule, parameters) != 0:
        return None
    if MMFFOptimizeMolecule(molecule, "MMFF94", _MINIMISER_STEPS) != 0:
        return None
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.uint8)
    # Adding 0 turns -0 into 0, which has other bytes.
    return numbers, molecule.GetConformer().GetPositions().round(DECIMALS) + 0.0


def pack(
    smiles: Sequence[str],
    geometries: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.float64]]],
) -> Built:
    """Return the arrays of the molecules that have a geometry; ids count `smiles` from 1.

    Raises:
        DataError: a geometry is absurd.
    """
    kept = [one for one in smiles if one in geometries]
    molecules = Molecules(
        np.concatenate([geometries[one][1] for one in kept]).astype(np.float32),
        np.concatenate([geometries[one][0] for one in kept]),
        np.array([len(geometries[one][0]) for one in kept], dtype=np.int64),
    )
    ids = np.array([k for k, one in enumerate(smiles, start=1) if one in geometries], np.int64)
    check_molecules(molecules, ids, "mini")
    split = np.array([split_code(one) for one in kept], dtype=np.uint8)
    parts = " / ".join(f"{count:,}" for count in np.bincount(split, minlength=len(SPLITS)))
    return Built(
        {
            "positions": molecules.positions,
            "numbers": molecules.numbers,
            "offsets": molecules.offsets,
            "ids": ids,
            "split": split,
        },
        f"{len(kept):,} enumerated molecules of up to {MAX_HEAVY_ATOMS} heavy atoms (C N O F) at "
        f"MMFF94 minima; split {parts} (train / validation / test)",
    )


def split_code(smiles: str) -> int:
    """Return 0 (train), 1 (validation) or 2 (test), in shares of 80, 10 and 10 %, by hash."""
    return max(0, _hash(smiles) % 10 - 7)


def _children(parent: "Mol", groups: Sequence["Mol"]) -> Iterator[str]:
    """Yield the SMILES of `parent` with each group at each hydrogen, as far as size allows."""
    from rdkit import Chem

    for group in groups:
        if parent.GetNumAtoms() + group.GetNumAtoms() > MAX_HEAVY_ATOMS:
            continue
        for atom in parent.GetAtoms():
            if atom.GetTotalNumHs() == 0:
                continue
            child = Chem.RWMol(Chem.CombineMols(parent, group))
            child.AddBond(atom.GetIdx(), parent.GetNumAtoms(), Chem.BondType.SINGLE)
            # Only [nH] has its hydrogen written out; elsewhere RDKit counts anew.
            child.GetAtomWithIdx(atom.GetIdx()).SetNumExplicitHs(0)
            Chem.SanitizeMol(child)
            yield Chem.MolToSmiles(child)


def _hash(smiles: str) -> int:
    return int.from_bytes(hashlib.sha256(smiles.encode()).digest()[:8], "big")
