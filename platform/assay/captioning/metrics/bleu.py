"""BLEU of a corpus of token lists, from sums over pairs: without smoothing, one reference each.

Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002,
as NLTK's `corpus_bleu` computes it (tested against it).

Shapes: S pairs, X corpora (one, or a resample each), N = 4 orders, K = 2 N + 2 sums.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDERS = 4

Tokens = Sequence[str]


def statistics(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> NDArray[np.int64]:
    """Return what BLEU is made of, for each pair.

    Returns:
        (S, K): matching n-grams of each order, n-grams of each order in the hypothesis (at least 1,
        as NLTK counts a sentence that is too short), and the lengths of hypothesis and reference.
    """
    rows = [_row(*pair) for pair in zip(hypotheses, references, strict=True)]
    return np.array(rows, dtype=np.int64)


def score(sums_XK: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return (X,) BLEU up to an order, uniform weights; 0 where an order has no match."""
    matches_XN, counts_XN = sums_XK[:, :order], sums_XK[:, ORDERS : ORDERS + order]
    hypothesis_X, reference_X = sums_XK[:, 2 * ORDERS], sums_XK[:, 2 * ORDERS + 1]
    with np.errstate(divide="ignore"):  # without a match the logarithm is -inf, and BLEU 0
        logarithm_X = np.log(matches_XN / counts_XN).mean(axis=1)
    penalty_X = np.minimum(0.0, 1 - reference_X / np.maximum(hypothesis_X, 1))
    return np.exp(logarithm_X + penalty_X)


def _row(hypothesis: Tokens, reference: Tokens) -> list[int]:
    matches, counts = [], []
    for order in range(1, ORDERS + 1):
        said, wanted = _ngrams(hypothesis, order), _ngrams(reference, order)
        matches.append(sum(min(count, wanted[gram]) for gram, count in said.items()))
        counts.append(max(1, said.total()))
    return [*matches, *counts, len(hypothesis), len(reference)]


def _ngrams(tokens: Tokens, order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[k:] for k in range(order)), strict=False))
