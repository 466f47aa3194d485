"""Retrieval: the caption of the most similar molecule that is known, the floor of captioning.

Whatever a model writes has to beat it: with ChEBI-20's 3,301 validation captions as the pool, the
caption of the nearest molecule by Morgan fingerprints scores BLEU-4 .350 on the test split.

    similarity = lambda rows: hybrid(tanimoto(asked[rows], pool), cosine(x[rows], y), 0.5)
    neighbours = search(len(asked), similarity, k=5)

Ties are broken by the lowest place in the pool. Ranks count what is as similar as the target
before it, so that a model which scores all alike gains nothing by it.

Shapes: Q queries, P of the pool, D width of an embedding, K neighbours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.captioning.fingerprints import Fingerprints, Kind, tanimoto
from assay.captioning.metrics.resampling import Resamples
from assay.errors import ConfigError, DataError
from assay.statistics.intervals import wilson
from assay.task import Estimate

VERSION = "1"
_ROWS = 256
"""Queries at a time: their similarities to 26,407 captions take 27 MB."""

Similarity = Callable[[slice], NDArray[np.float32]]
"""Of a slice of the queries: (q, P)."""


@dataclass(frozen=True)
class Neighbours:
    """The K nearest of the pool to each query, the nearest first."""

    places_QK: NDArray[np.int64]
    """In the pool."""
    similarity_QK: NDArray[np.float32]


def nearest_captions(
    asked: Sequence[str], pool: Sequence[str], captions: Sequence[str], kind: Kind = "morgan"
) -> list[str]:
    """Return (Q,) the captions of the nearest molecules of a pool by Tanimoto similarity.

    Args:
        asked: (Q,) SMILES.
        pool: (P,) SMILES.
        captions: (P,) theirs.
        kind: Of fingerprints.

    Raises:
        ConfigError: the pool is empty.
        DataError: SMILES do not parse.
    """
    neighbours = nearest(Fingerprints.of(asked, kind), Fingerprints.of(pool, kind))
    return [captions[int(place)] for place in neighbours.places_QK[:, 0]]


def nearest(asked: Fingerprints, pool: Fingerprints, k: int = 1) -> Neighbours:
    """Return the k nearest of a pool by Tanimoto similarity of fingerprints.

    Raises:
        ConfigError: the pool has fewer than k.
    """
    return search(len(asked), lambda rows: tanimoto(asked[rows], pool), k)


def search(queries: int, similarity: Similarity, k: int = 1) -> Neighbours:
    """Return the k most similar of a pool to each query, in blocks of queries.

    Raises:
        ConfigError: the pool has fewer than k.
    """
    found = [top_k(similarity(slice(a, a + _ROWS)), k) for a in range(0, queries, _ROWS)]
    if not found:
        return Neighbours(np.zeros((0, k), np.int64), np.zeros((0, k), np.float32))
    return Neighbours(
        np.concatenate([part.places_QK for part in found]),
        np.concatenate([part.similarity_QK for part in found]),
    )


def top_k(similarity_QP: NDArray[np.float32], k: int) -> Neighbours:
    """Return the k greatest of each row; of equal ones, those of the lowest place.

    Raises:
        ConfigError: there are fewer than k.
        DataError: a similarity is not a number.
    """
    P = similarity_QP.shape[1]
    if not 1 <= k <= P:
        raise ConfigError(f"retrieval: {k} neighbours of a pool of {P:,}; ask for 1 … {P:,}")
    if np.isnan(similarity_QP).any():
        raise DataError(
            "retrieval: a similarity is not a number; look for embeddings that are not finite"
        )
    if k == 1:  # the first of the greatest
        places_QK = similarity_QP.argmax(axis=1, keepdims=True)
    else:
        # What cannot be among the k is left out before sorting: less than the k-th greatest.
        threshold_Q1 = np.partition(similarity_QP, P - k, axis=1)[:, P - k, None]
        rows = [np.flatnonzero(row) for row in similarity_QP >= threshold_Q1]
        places_QK = np.stack(
            [
                places[np.argsort(-values[places], kind="stable")[:k]]
                for places, values in zip(rows, similarity_QP, strict=True)
            ]
        )
    return Neighbours(places_QK, np.take_along_axis(similarity_QP, places_QK, axis=1))


def cosine(asked_QD: NDArray[np.floating], pool_PD: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (Q, P): the cosine of the angle between embeddings; 0 for one of length 0."""
    return _unit(asked_QD) @ _unit(pool_PD).T


def hybrid(
    first_QP: NDArray[np.float32], second_QP: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Return (1 - weight) of the first similarity and `weight` of the second.

    Raises:
        ConfigError: the weight is not in [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"retrieval: the weight of a hybrid is {weight}; give one in 0 … 1")
    return ((1 - weight) * first_QP + weight * second_QP).astype(np.float32)


def ranks(similarity: Similarity, targets_Q: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return (Q,): how many of the pool are at least as similar as the target, which counts once.

    Args:
        similarity: Of queries and pool.
        targets_Q: The place of each query's own in the pool.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(targets_Q), _ROWS):
        rows = slice(start, start + _ROWS)
        similarity_qP = similarity(rows)
        own_q1 = np.take_along_axis(similarity_qP, targets_Q[rows, None], axis=1)
        # Not >=, which a NaN fails: a query whose similarities are none would come first.
        found.append((~(similarity_qP < own_q1)).sum(axis=1))
    return np.concatenate(found)


def mean_reciprocal_rank(ranks_Q: NDArray[np.integer]) -> Estimate:
    """Return the mean of 1 / rank, with a bootstrap interval over queries."""
    return Resamples(len(ranks_Q)).mean(1.0 / ranks_Q, VERSION)


def recall_at_k(ranks_Q: NDArray[np.integer], k: int) -> Estimate:
    """Return the share of queries whose own is among the first k, with Wilson's interval."""
    hits = int((ranks_Q <= k).sum())
    n = len(ranks_Q)
    low, high = wilson(hits, n)
    return Estimate(value=hits / n, low=low, high=high, n=n, version=VERSION, better="higher")


def _unit(x_ND: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths_N1 = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return (x_ND / np.where(lengths_N1 > 0, lengths_N1, 1)).astype(np.float32)
