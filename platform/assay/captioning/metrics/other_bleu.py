"""BLEU under two other tokenizers, each under its own name: never comparable with `molt5/bleu4`."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.captioning.metrics import bleu
from assay.captioning.metrics.pairs import Pairs
from assay.captioning.metrics.protocol import CaptionProtocol, Found, require
from assay.captioning.metrics.resampling import Resamples


class SacreBLEU(CaptionProtocol):
    """sacreBLEU with its defaults: tokenizer 13a, exponential smoothing, case kept.

    Source: Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018, and its package. The
    version is the package's own signature.
    """

    name: ClassVar[str] = "sacrebleu"

    def __init__(self) -> None:
        """Set the metric up.

        Raises:
            MachineError: sacrebleu is missing.
        """
        require("sacrebleu")
        from sacrebleu.metrics.bleu import BLEU

        self._metric = BLEU()
        # The signature does not know the number of references before it has seen one.
        self._metric.corpus_score(["a"], [["a"]])
        self.version = str(self._metric.get_signature())

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return `sacrebleu/bleu`, a fraction."""
        rows_SK = np.array(list(map(self._row, pairs.predictions, pairs.references)))
        found = resamples.estimate(rows_SK, self._scores, self.version)
        return Found({} if found is None else {"sacrebleu/bleu": found})

    def _row(self, prediction: str, reference: str) -> list[int]:
        """Return a pair's sums: matches, n-grams, and the two lengths."""
        score = self._metric.corpus_score([prediction], [[reference]])
        return [*score.counts, *score.totals, score.sys_len, score.ref_len]

    def _scores(self, sums_XK: NDArray[Any]) -> NDArray[np.float64]:
        return np.array([self._score(row) for row in sums_XK.astype(np.int64).tolist()])

    def _score(self, sums: list[int]) -> float:
        N = (len(sums) - 2) // 2
        score = self._metric.compute_bleu(
            sums[:N], sums[N : 2 * N], sums[-2], sums[-1], smooth_method="exp"
        )
        return score.score / 100


class Whitespace(CaptionProtocol):
    """BLEU of what stands between spaces, case and punctuation kept, without smoothing."""

    name: ClassVar[str] = "whitespace"
    version = "1"

    def evaluate(self, pairs: Pairs, resamples: Resamples) -> Found:
        """Return `whitespace/bleu2` and `whitespace/bleu4`."""
        hypotheses, references = (
            [text.split() for text in texts] for texts in (pairs.predictions, pairs.references)
        )
        ngrams = bleu.statistics(hypotheses, references)
        found = {
            f"whitespace/bleu{order}": resamples.estimate(
                ngrams, lambda sums, order=order: bleu.score(sums, order), self.version
            )
            for order in (2, 4)
        }
        return Found({name: each for name, each in found.items() if each is not None})
