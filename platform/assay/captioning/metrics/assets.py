"""What the MolT5 protocol cannot do without: SciBERT's vocabulary and WordNet 3.0.

Both are pinned byte by byte: another vocabulary or another WordNet gives other numbers under the
same name.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from assay.errors import DataError
from assay.store.assets import Assets, Origin
from assay.store.fetch import archive_members

NAME = "caption-metrics"
VOCABULARY = "vocab.txt"
LEXICON = (
    "data.adj", "data.adv", "data.noun", "data.verb",
    "index.adj", "index.adv", "index.noun", "index.verb",
    "adj.exc", "adv.exc", "noun.exc", "verb.exc",
)  # fmt: skip
"""The files of WordNet that synonyms are looked up in."""

_VOCABULARY_SHA256 = "f0a650346e51ede8996710f79ba65d83fdb8da05b159f17037b74ba4e3a36c6f"
_LEXICOGRAPHER_FILES = 45


class CaptionMetrics(Assets):
    """The vocabulary (Apache-2.0) and WordNet (Princeton licence), in one folder."""

    name = NAME
    title = "SciBERT's vocabulary and WordNet 3.0, for BLEU and METEOR of captions"
    licence = "Apache-2.0; WordNet 3.0 licence"
    folder = "caption_metrics"
    digest = "4c2db372e3aa43c76a45a0ecfadfe2af431b8633bf5e9de2627c6f4ad57f3410"
    origins: Mapping[str, tuple[Origin, ...]] = {
        "vocabulary": (
            Origin("scibert_scivocab_uncased_vocab.txt", _VOCABULARY_SHA256),
            Origin(
                "vocab.txt",
                _VOCABULARY_SHA256,
                "https://huggingface.co/allenai/scibert_scivocab_uncased/resolve/main/vocab.txt",
            ),
        ),
        "wordnet": (
            Origin(
                "nltk_wordnet30.tar.xz",
                "463734a02334f3f32c5dd4254613c072ea1f5b23994a515db3581990476a726d",
            ),
            Origin(
                "wordnet-base_3.0-37_all.deb",
                "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
                "https://deb.debian.org/debian/pool/main/w/wordnet/wordnet-base_3.0-37_all.deb",
            ),
        ),
    }

    def contents(self, found: Mapping[str, Path]) -> Mapping[str, bytes]:
        """Return the vocabulary, WordNet's files, and the list that NLTK's reader asks for.

        Raises:
            DataError: the archive is damaged, or lacks a file.
        """
        return {
            VOCABULARY: found["vocabulary"].read_bytes(),
            "lexnames": _lexnames(),
            **_lexicon(found["wordnet"]),
        }


CAPTION_METRICS = CaptionMetrics()


def _lexicon(archive: Path) -> dict[str, bytes]:
    """Return WordNet's files from a tar archive, or from the one inside a Debian package.

    Members are taken by their last name and only if they are among `LEXICON`: nothing is extracted
    under a path that the archive chose, and links are passed over.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if archive.suffix == ".deb":
            inner = Path(scratch) / "data.tar.xz"
            inner.write_bytes(_inner_archive(archive))
            archive = inner
        held = {name: content for name, content in archive_members(archive) if name in LEXICON}
    missing = sorted(set(LEXICON) - held.keys())
    if missing:
        raise DataError(f"{archive.name}: lacks {missing[0]} of WordNet; get it anew")
    return held


def _inner_archive(package: Path) -> bytes:
    """Return `data.tar.xz` of a Debian package, which is an `ar` archive: headers of 60 bytes."""
    content = package.read_bytes()
    place = len(b"!<arch>\n")
    while place + 60 <= len(content):
        name, size = content[place : place + 16].strip(), int(content[place + 48 : place + 58])
        begin = place + 60
        if name.rstrip(b"/") == b"data.tar.xz":
            return content[begin : begin + size]
        place = begin + size + size % 2
    raise DataError(f"{package}: holds no data.tar.xz; get it anew")


def _lexnames() -> bytes:
    """Return a list of lexicographer files, numbered instead of named.

    NLTK's reader will not open WordNet without one, Debian's package has none, and METEOR asks for
    none of the names.
    """
    return "".join(f"{n:02d}\t{n:02d}\t0\n" for n in range(_LEXICOGRAPHER_FILES)).encode()
