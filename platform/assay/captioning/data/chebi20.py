"""ChEBI-20: 33,008 molecules of PubChem with the description that ChEBI gives them.

Edwards, Zhai and Ji, "Text2Mol: Cross-modal molecule retrieval with natural language queries",
EMNLP 2021; Edwards et al., "Translation between molecules and natural language", EMNLP 2022. The
first names 33,010; the files of the second hold two fewer.
"""

import hashlib
import shutil
from pathlib import Path

from assay.captioning.data.captions import Pair, counts_in_words, pack
from assay.captioning.data.chebi20_files import FILES, SHA256, find, read_split
from assay.errors import DataError
from assay.store.fetch import fetch
from assay.store.locations import cache_root
from assay.store.packed import SPLITS, Split
from assay.store.sets import Built, DataSet, Watch, is_url

UPSTREAM = (
    "https://raw.githubusercontent.com/blender-nlp/MolT5/"
    "7de07af8a2fb033bfd4935ebdd166e6ae6507df9/ChEBI-20_data"
)
"""MolT5's repository, which holds the three files."""


class ChEBI20(DataSet):
    """The three files of MolT5, split as they are."""

    name = "chebi20"
    title = "ChEBI-20: molecules with the description that ChEBI gives them"
    licence = "CC-BY-4.0 (ChEBI)"
    citation = "Edwards et al., EMNLP 2021, doi:10.18653/v1/2021.emnlp-main.47, and EMNLP 2022"
    kind = "captions"
    version = 1
    upstream = UPSTREAM

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the files of `source`.

        Args:
            source: A folder with validation.txt, test.txt and, if it is to be trained on,
                train.txt, plain or gzipped; or a URL of such a folder with all three.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable or corrupt, or holds something else.
        """
        watch("read", 0.0)
        pairs = _fetched(source, watch) if is_url(source) else _local(Path(source))
        has_train = pairs[0].split == "train"
        lack = "" if has_train else "; without the captions for training, which this source lacks"
        return Built(
            pack(pairs, watch),
            f"ChEBI-20: {len(pairs):,} molecules with captions; upstream's split "
            f"{counts_in_words(pairs)}{lack}",
        )


CHEBI20 = ChEBI20()


def _local(folder: Path) -> list[Pair]:
    """Read the files that are there; only train.txt may be missing."""
    has_train = find(folder, FILES["train"]) is not None
    splits: tuple[Split, ...] = SPLITS if has_train else ("validation", "test")
    return [pair for split in splits for pair in read_split(folder, split)]


def _fetched(url: str, watch: Watch) -> list[Pair]:
    """Download the three files and read them."""
    folder = cache_root() / "downloads" / f"chebi20-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    base, mark, query = url.partition("?")
    for split, name in FILES.items():
        address = f"{base.rstrip('/')}/{name}{mark}{query}"
        fetch(address, SHA256.get(split), folder / name, watch)
    try:
        return _local(folder)
    except DataError as error:
        shutil.rmtree(folder)
        raise DataError(f"{error}; what was downloaded is deleted: try again") from error
