"""A small set of captions that needs no network: molecules made by rules, described by templates.

Rings and chains carry two groups, some with a stereo centre, a double bond or a charge. A caption
says what RDKit finds in the finished molecule: see `assay.captioning.data.mini_wording`. The
chemistry is real, if small, and the captions are true, if dull; its numbers are for trying things
out and compare with no published ones.
"""

import hashlib

from assay.captioning.data.captions import Pair, counts_in_words, pack
from assay.captioning.data.mini_wording import describe
from assay.store.packed import SPLITS
from assay.store.sets import Built, DataSet, Watch

CORES = (
    # chains, of which the last three are stereoisomers
    *("C({a})C{b}", "C({a})CCC{b}", "C({a})OCC{b}", "C({a})C(=O)C{b}"),
    *("C[C@H]({a})C{b}", "C[C@@H]({a})C{b}", "C({a})/C=C/C{b}", "C({a})/C=C\\C{b}"),
    # saturated rings
    *(
        "C1CC({a})C1{b}",
        "C1CC({a})CC1{b}",
        "C1CCC({a})CC1{b}",
        "C1OCC({a})CC1{b}",
        "C1CN({a})CCC1{b}",
    ),
    # aromatic rings
    *("c1ccc({a})cc1{b}", "c1c({a})cccc1{b}", "c1cc({a})ncc1{b}", "c1nc({a})ncc1{b}"),
    *("c1oc({a})cc1{b}", "c1sc({a})cc1{b}", "c1c({a})c2ccccc2cc1{b}", "c1c({a})c2cc[nH]c2cc1{b}"),
)
GROUPS = (
    *("C", "F", "Cl", "Br", "O", "N", "OC", "C#N", "C(=O)O", "C(=O)OC", "C(=O)N", "C(=O)C"),
    *("C=O", "CO", "CN", "S(C)(=O)=O", "C(F)(F)F", "C(=O)[O-]", "C[NH3+]", "[N+](=O)[O-]"),
)
"""Each is bound by its first atom."""

UNSTABLE = (
    "[#7,#8]-[F,Cl,Br]",
    "[#7,#8;!$([N+])]-!@[#7,#8;!$([N+](=O)[O-])]",
    "[CX4]([F,Cl,Br,OX2,NX3])[OX2H,NX3;!H0]",
    "[CX4]([F,Cl,Br])[OX2,NX3]",
    "N-[$(C#N),$([N+])]",
)
"""What would not keep in a bottle."""

ONE_IN = 4
"""One in so many of what the rules make is kept, by its hash: quick to prepare, enough to learn."""


class MiniCaptions(DataSet):
    """The enumerated molecules and their captions."""

    name = "mini_captions"
    title = "enumerated molecules, described by templates"
    licence = "Apache-2.0"
    citation = "Made by the rules of assay.captioning.data.mini_captions"
    kind = "captions"
    version = 1
    upstream = None

    def build(self, source: str, watch: Watch) -> Built:
        """Enumerate and describe."""
        watch("enumerate", 0.0)
        pairs = [
            Pair(number, smiles, describe(smiles), SPLITS[split_code(smiles)], f"mini {number}")
            for number, smiles in enumerate(enumerate_smiles(), start=1)
        ]
        return Built(
            pack(pairs, watch),
            f"{len(pairs):,} enumerated molecules with captions by templates; split "
            f"{counts_in_words(pairs)}",
        )


MINI_CAPTIONS = MiniCaptions()


def enumerate_smiles() -> list[str]:
    """Return the canonical SMILES that are kept, in alphabetical order."""
    from rdkit import Chem

    unstable = [Chem.MolFromSmarts(pattern) for pattern in UNSTABLE]
    kept = set()
    for core in CORES:
        for smiles in {core.format(a=a, b=b) for a in GROUPS for b in GROUPS}:
            molecule = Chem.MolFromSmiles(smiles)
            flat = Chem.MolToSmiles(molecule, isomericSmiles=False)
            if _hash(f"keep {flat}") % ONE_IN:
                continue
            if not any(molecule.HasSubstructMatch(pattern) for pattern in unstable):
                kept.add(Chem.MolToSmiles(molecule))
    return sorted(kept)


def split_code(smiles: str) -> int:
    """Return 0 (train), 1 (validation) or 2 (test), in shares of 80, 10 and 10 %, by hash.

    Stereoisomers are in one split: their captions are nearly the same.
    """
    return max(0, _hash(without_stereo(smiles)) % 10 - 7)


def without_stereo(smiles: str) -> str:
    """Return the canonical SMILES of what has the same bonds."""
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
