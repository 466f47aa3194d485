"""ChEBI-20: 33,010 molecules of PubChem with the description that ChEBI gives them.

Edwards, Zhai and Ji, "Text2Mol: Cross-modal molecule retrieval with natural language queries",
EMNLP 2021; Edwards et al., "Translation between molecules and natural language", EMNLP 2022.
"""

import hashlib
from pathlib import Path

from assay.captioning.data.captions import counts_in_words, pack
from assay.captioning.data.chebi20_files import FILES, find, read_split
from assay.store.fetch import fetch
from assay.store.locations import cache_root
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
        folder = _fetched(source, watch) if is_url(source) else Path(source)
        has_train = find(folder, FILES["train"]) is not None
        pairs = read_split(folder, "train") if has_train else []
        pairs += read_split(folder, "validation") + read_split(folder, "test")
        without = (
            "" if has_train else "; without the captions for training, which this source lacks"
        )
        return Built(
            pack(pairs, watch),
            f"ChEBI-20: {len(pairs):,} molecules with captions; upstream's split "
            f"{counts_in_words(pairs)}{without}",
        )


CHEBI20 = ChEBI20()


def _fetched(url: str, watch: Watch) -> Path:
    """Download the three files; their content is checked when they are read."""
    folder = cache_root() / "downloads" / f"chebi20-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    base, mark, query = url.partition("?")
    for name in FILES.values():
        fetch(f"{base.rstrip('/')}/{name}{mark}{query}", None, folder / name, watch)
    return folder
