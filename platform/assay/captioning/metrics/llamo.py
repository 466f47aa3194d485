"""LLaMo's protocol: BLEU-2, BLEU-4 and METEOR on the tokens of a language model's tokenizer.

Source: Park et al., "LLaMo: Large language model-based molecular graph assistant", NeurIPS 2024,
and its public evaluation code, whose tokenizer is LLaMA-2's. The tokenizer is part of the number,
and of its version: figures under two tokenizers do not compare. Where METEOR fails on a pair the
published code leaves the pair out; none fails here.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from assay.captioning.metrics import bleu
from assay.captioning.metrics.assets import NAME
from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found, require
from assay.captioning.metrics.resampling import Resamples
from assay.errors import DataError
from assay.store.assets import open_assets
from assay.store.pretrained import FROM_DISK

_FILES = ("*token*", "vocab*", "merges*", "*.model")


class LLaMo(CaptionProtocol):
    """The protocol, with the tokenizer that is given."""

    name: ClassVar[str] = "llamo"

    def __init__(self, folder: Path) -> None:
        """Load a tokenizer, from disk only, and WordNet for METEOR.

        Args:
            folder: As transformers' `save_pretrained` writes it.

        Raises:
            DataError: there is no tokenizer, or caption-metrics is not prepared.
            MachineError: a package is missing.
        """
        for package in ("nltk", "transformers"):
            require(package)
        from transformers import AutoTokenizer

        from assay.captioning.metrics.meteor import Meteor

        try:
            self._meteor = Meteor(open_assets(NAME).folder)
        except DataError as error:
            raise DataError(f"protocol llamo: {error}") from error
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **FROM_DISK)
        except Exception as error:  # transformers raises many kinds
            first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(": .")
            raise DataError(f"--llamo {folder}: holds no tokenizer ({first})") from error
        self.version = f"1 {folder.absolute().name} {_digest(folder)}"

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return the three figures."""
        said, wanted = self._tokens(pairs.predictions), self._tokens(pairs.references)
        ngrams = bleu.statistics(said, wanted)
        found = {
            f"llamo/bleu{order}": resamples.estimate(
                ngrams, lambda sums, order=order: bleu.score(sums, order), self.version
            )
            for order in (2, 4)
        }
        meteor = np.array(list(map(self._meteor.score, said, wanted)))
        found["llamo/meteor"] = resamples.mean(meteor, self.version)
        return Found({name: each for name, each in found.items() if each is not None})

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._tokenizer.tokenize(text) for text in texts]


def _digest(folder: Path) -> str:
    """Return 16 hex digits over the files of a tokenizer."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
