"""A small graph that needs no network: building blocks, joined where they couple.

The nodes are rings of medicinal chemistry that carry two groups. An edge says that two of them
couple in exactly one way, by one of five named reactions, into a product of at most
`MAX_HEAVY_ATOMS` heavy atoms: what reacts and how large it is decide it, and a model sees neither,
only the edges. As in ogbl-ddi, the graph is dense and partners are often unlike each other, so that
common neighbours say little. The chemistry is real, if idealised: groups count, conditions do not.
Its numbers are for trying things out and compare with no published ones.

Shapes: V nodes, E edges, N fixed negatives.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.interactions.data.links import HELD_OUT, check_links
from assay.store.packed import SPLITS
from assay.store.sets import Built, DataSet, Watch

RINGS = (
    # six-membered: benzene, pyridines, pyrimidine
    *("c1cc({b})ccc1{a}", "c1cc({b})cnc1{a}", "c1c({b})nccc1{a}", "c1nc({b})cnc1{a}"),
    # five-membered: thiazole, oxazole, cyclopentane
    *("c1sc({b})nc1{a}", "c1oc({b})nc1{a}", "C1CC({b})CC1{a}"),
    # fused: naphthalene, indole, quinoline
    *("c1cc({b})c2ccccc2c1{a}", "c1c({b})c2cc[nH]c2cc1{a}", "c1c({b})c2cccnc2cc1{a}"),
)
GROUPS = ("C(=O)O", "CN", "CO", "Br", "B(O)O", "C=O", "C", "F", "OC")
"""Each is bound by its first atom; the last three do not react."""

REACTANTS = {
    "acid": "[CX3](=O)[OX2H]",
    "amine": "[CX4][NX3;H2]",
    "alcohol": "[CX4][OX2H]",
    "halide": "cBr",
    "boronic acid": "cB(O)O",
    "aldehyde": "[CX3;H1]=O",
}
COUPLINGS = (
    ("acid", "amine", 1),  # amide, less the acid's OH
    ("acid", "alcohol", 1),  # ester, less the acid's OH
    ("aldehyde", "amine", 1),  # reductive amination, less the aldehyde's O
    ("halide", "amine", 1),  # Buchwald-Hartwig, less Br
    ("halide", "boronic acid", 4),  # Suzuki, less Br and B(OH)2
)
"""The reactants, and the heavy atoms of both that the product lacks."""

MAX_HEAVY_ATOMS = 16
"""Of a product."""

NEGATIVES = 5000
"""Of validation, and as many of test."""


class MiniLinks(DataSet):
    """The enumerated building blocks and their couplings."""

    name = "mini_links"
    title = "enumerated building blocks, joined where a named reaction couples them"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.interactions.data.mini_links"
    kind = "graph"
    version = 2
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Enumerate, join and check."""
        watch("enumerate", 0.0)
        return pack(*join(enumerate_smiles()))


MINI_LINKS = MiniLinks()


def enumerate_smiles() -> list[str]:
    """Return the canonical SMILES that the rules make, in alphabetical order."""
    from rdkit import Chem

    made = (ring.format(a=a, b=b) for ring in RINGS for a in GROUPS for b in GROUPS)
    return sorted({Chem.CanonSmiles(smiles) for smiles in made})


def join(smiles: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the molecules that have a partner, and who couples with whom: bool (V, V).

    Who could react in two ways gives a mixture: such a pair is not joined, and a molecule that
    couples with its own kind is left out.
    """
    from rdkit import Chem

    molecules = [Chem.MolFromSmiles(one) for one in smiles]
    heavy_V = np.array([molecule.GetNumHeavyAtoms() for molecule in molecules])
    groups = {name: Chem.MolFromSmarts(pattern) for name, pattern in REACTANTS.items()}
    count_V = {
        name: np.array([len(molecule.GetSubstructMatches(group)) for molecule in molecules])
        for name, group in groups.items()
    }
    ways_VV = np.zeros((len(smiles), len(smiles)), dtype=np.int64)
    fits_VV = np.zeros_like(ways_VV, dtype=bool)
    for first, second, lost in COUPLINGS:
        one_way_VV = np.outer(count_V[first], count_V[second])
        small_VV = heavy_V[:, None] + heavy_V - lost <= MAX_HEAVY_ATOMS
        for way_VV in (one_way_VV, one_way_VV.T):
            ways_VV += way_VV
            fits_VV |= (way_VV > 0) & small_VV
    stable_V = ways_VV.diagonal() == 0
    couples_VV = (ways_VV == 1) & fits_VV & stable_V[:, None] & stable_V
    kept = np.flatnonzero(couples_VV.any(axis=0)).tolist()
    return [smiles[k] for k in kept], couples_VV[np.ix_(kept, kept)]


def pack(smiles: Sequence[str], couples_VV: NDArray[np.bool_]) -> Built:
    """Return the arrays; a pair's split, or its place among the negatives, is by its hash."""
    edges, others = (_pairs(smiles, which) for which in (couples_VV, ~couples_VV))
    split = np.array([max(0, key % 10 - 7) for key, _, _ in edges], dtype=np.uint8)
    drawn = np.array([(u, v) for _, u, v in sorted(others)], dtype=np.int32)
    arrays = {
        "smiles": np.array(smiles, dtype=np.bytes_),
        "study_smiles": np.array([_if_known(text) for text in smiles], dtype=np.bytes_),
        "edges": np.array([(u, v) for _, u, v in edges], dtype=np.int32),
        "ids": np.arange(1, len(edges) + 1),
        "split": split,
    }
    for k, name in enumerate(HELD_OUT):
        arrays[f"negatives_{name}"] = drawn[k * NEGATIVES : (k + 1) * NEGATIVES]
    check_links(arrays, MiniLinks.name)
    parts = " / ".join(f"{count:,}" for count in np.bincount(split, minlength=len(SPLITS)))
    return Built(
        arrays,
        f"{len(smiles):,} enumerated building blocks and the {len(edges):,} pairs that couple into "
        f"at most {MAX_HEAVY_ATOMS} heavy atoms; split {parts} (train / validation / test); "
        f"{NEGATIVES:,} fixed pairs that do not, for validation and for test each",
    )


def _pairs(smiles: Sequence[str], which_VV: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Return the hash and the nodes of every pair u < v that is marked."""
    rows = zip(*np.triu(which_VV, k=1).nonzero(), strict=True)
    return [(_hash(f"{smiles[u]} {smiles[v]}"), int(u), int(v)) for u, v in rows]


def _if_known(smiles: str) -> str:
    """Forget the structures of about two in five, by their hashes."""
    return smiles if _hash(smiles) % 5 > 1 else ""


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
