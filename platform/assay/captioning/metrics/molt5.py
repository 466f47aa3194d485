"""The MolT5 protocol: BLEU-2, BLEU-4 and METEOR on SciBERT's word pieces, ROUGE on words.

Source: Edwards et al., "Translation between Molecules and Natural Language", EMNLP 2022, and its
public evaluation code. The tokenizer is part of the number: the same captions move by 9 points of
BLEU-4 under another one.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from assay.captioning.metrics import bleu
from assay.captioning.metrics.assets import NAME, VOCABULARY
from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found, require
from assay.captioning.metrics.resampling import Resamples
from assay.errors import DataError
from assay.store.assets import PreparedAssets, open_assets

LEADING = "[CLS] "
"""What the released predictions begin with."""

_MOST_PIECES = 512
_NOT_TEXT = frozenset({"[PAD]", "[CLS]", "[SEP]"})
_ROUGE = ("rouge1", "rouge2", "rougeL")


class MolT5(CaptionProtocol):
    """The protocol, with the vocabulary and the WordNet that it was published with."""

    name: ClassVar[str] = "molt5"
    version = "1"

    def __init__(self) -> None:
        """Open what `assay data prepare caption-metrics` left.

        Raises:
            DataError: it is not prepared, or damaged.
            MachineError: a package is missing.
        """
        for package in ("nltk", "rouge_score", "tokenizers"):
            require(package)
        from assay.captioning.metrics.meteor import Meteor

        assets = _opened()
        self._pieces = WordPieces(assets)
        self._meteor = Meteor(assets.folder)

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return the six figures."""
        predictions = [text.removeprefix(LEADING) for text in pairs.predictions]
        hypotheses = self._pieces.of(predictions)
        references = self._pieces.of(pairs.references)
        ngrams = bleu.statistics(hypotheses, references)
        scores = list(map(self._meteor.score, hypotheses, references))
        values = {"meteor": np.array(scores), **_rouge(predictions, pairs.references)}
        found = {
            f"molt5/bleu{order}": resamples.estimate(
                ngrams, lambda sums, order=order: bleu.score(sums, order), self.version
            )
            for order in (2, 4)
        }
        found |= {
            f"molt5/{name}": resamples.mean(each, self.version) for name, each in values.items()
        }
        return Found({name: each for name, each in found.items() if each is not None})


class WordPieces:
    """SciBERT's uncased word pieces, those of transformers' BertTokenizerFast (tested)."""

    def __init__(self, assets: PreparedAssets) -> None:
        """Read the vocabulary."""
        from tokenizers import BertWordPieceTokenizer

        # transformers 5 takes `vocab_file=` without a word, and then knows five tokens.
        self._tokenizer = BertWordPieceTokenizer(str(assets.folder / VOCABULARY), lowercase=True)
        self._tokenizer.enable_truncation(_MOST_PIECES)

    def of(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the pieces of each text, without the marks of a BERT input."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[piece for piece in each.tokens if piece not in _NOT_TEXT] for each in encoded]


def _rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the F1 of each pair, of words without stemming."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(_ROUGE), use_stemmer=False)
    found = [scorer.score(*pair) for pair in zip(references, predictions, strict=True)]
    return {name: np.array([each[name].fmeasure for each in found]) for name in _ROUGE}


def _opened() -> PreparedAssets:
    try:
        return open_assets(NAME)
    except DataError as error:
        raise DataError(f"protocol molt5: {error}") from error
