"""What there is to train captioning on where ChEBI-20's own captions for training are not.

Pairs of PubChem324k (Liu et al., "MolCA", EMNLP 2023) and PCdes (Zeng et al., Nature
Communications 13 (2022) 862) without a molecule of ChEBI-20's validation or test split, and nine
tenths of its validation split; a tenth of that is the validation split here, and the test split is
ChEBI-20's own, whole. So what is trained on this set may be compared on ChEBI-20's test split, but
no longer on those of PubChem324k and PCdes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from assay.captioning.data.captions import Pair, counts_in_words, pack
from assay.captioning.data.chebi20_files import FILES, POOL, find, read_pool, read_split
from assay.captioning.graphs import parse
from assay.errors import DataError
from assay.store.sets import Built, DataSet, Watch, is_url

CHEBI20_FOLDER = "chebi20"
_OF_TEN = 10


class CaptionsPool(DataSet):
    """Further pairs and most of ChEBI-20's validation split, to be compared on its test split."""

    name = "captions_pool"
    title = "PubChem324k and PCdes pairs for training, ChEBI-20's test split"
    licence = "CC-BY-4.0 (ChEBI); the further pairs are PubChem's, their licence is unclear"
    citation = (
        "Liu et al., EMNLP 2023, arXiv:2310.12798; Zeng et al., Nature Communications 13, 862 "
        "(2022); Edwards et al., EMNLP 2021 and 2022"
    )
    kind = "captions"
    version = 1
    upstream = "https://github.com/huaishengzhu/3MDiffusion"
    folder = "captions_extra"

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the pairs of `source`.

        Args:
            source: A folder with the pool of pairs; ChEBI-20's validation.txt and test.txt are
                there or in the folder chebi20 beside it.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable or corrupt, or holds something else.
        """
        if is_url(source):
            raise DataError(
                f"captions_pool: is published nowhere as it is; give a folder with {POOL} and "
                "ChEBI-20's validation.txt and test.txt with --source"
            )
        watch("read", 0.0)
        folder = Path(source)
        pool = read_pool(folder)
        is_there = find(folder, FILES["validation"]) is not None
        chebi = folder if is_there else folder.parent / CHEBI20_FOLDER
        pairs = sorted(
            [*pool, *_dealt(read_split(chebi, "validation"))],
            key=lambda pair: pair.split != "train",
        )
        pairs += read_split(chebi, "test")
        return Built(
            pack(pairs, watch),
            f"{len(pool):,} pairs of PubChem324k and PCdes and nine tenths of ChEBI-20's "
            "validation split for training, ChEBI-20's test split; "
            f"{counts_in_words(pairs)}",
        )


CAPTIONS_POOL = CaptionsPool()


def is_of_chebi20(number: int) -> bool:
    """Return whether a training record is ChEBI-20's, whose ids are PubChem's; others' are less."""
    return number >= 0


def _dealt(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Deal nine tenths to training and a tenth to validation, by the hash of canonical SMILES."""
    from rdkit import Chem

    for pair in pairs:
        molecule = parse(pair.smiles)
        # What does not parse is refused, with its place, when the pairs are packed.
        text = Chem.MolToSmiles(molecule) if molecule is not None else pair.smiles
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        yield replace(pair, split="validation" if key % _OF_TEN == 0 else "train")
