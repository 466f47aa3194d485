"""What captioning costs.

    python benchmarks/captioning.py [retrieval] [--threads N] [--repeats N]

One JSON line a row; all questions without an argument. Seconds are medians. The molecules are
those of ChEBI-20 where it is here, repeated to the size of its training split; else fingerprints
are drawn with their number of bits.

retrieval  the nearest of 26,407 molecules to each of 3,300: ours, a product of float32 matrices,
           and RDKit's BulkTanimotoSimilarity
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import DataStructs

from assay.captioning.data.captions import CaptionRecords, captions_of
from assay.captioning.data.chebi20 import CHEBI20
from assay.captioning.fingerprints import BITS, Fingerprints
from assay.captioning.retrieval import nearest
from assay.store import sets
from assay.store.locations import data_root

QUERIES, POOL = 3_300, 26_407
SHARE = 0.02
"""Of bits that are set, as in ChEBI-20."""
BLOCK = 256
FEW = 100
"""Queries that RDKit is asked; its time grows in proportion."""


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {"retrieval": retrieval}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(questions))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    unknown = set(given.questions) - set(questions)
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are {', '.join(questions)}")
    torch.set_num_threads(given.threads)
    for question in given.questions or questions:
        for row in questions[question](given.repeats):
            print(json.dumps({"question": question, "threads": given.threads, **row}), flush=True)


def retrieval(repeats: int) -> Iterator[dict[str, Any]]:
    """Time three ways to the nearest neighbour; compare what they find."""
    asked, pool = fingerprints()
    found = nearest(asked, pool).places_QK[:, 0]
    by_matrix = nearest_by_matrix(asked, pool)
    few, of_rdkit = vectors(asked[:FEW]), vectors(pool)
    by_rdkit = nearest_by_rdkit(few, of_rdkit)
    rdkit_seconds = median(1, lambda: nearest_by_rdkit(few, of_rdkit)) * len(asked) / FEW
    yield {
        "queries": len(asked),
        "pool": len(pool),
        "ours_seconds": round(median(repeats, lambda: nearest(asked, pool)), 2),
        "ten_neighbours_seconds": round(median(repeats, lambda: nearest(asked, pool, 10)), 2),
        "matrix_seconds": round(median(1, lambda: nearest_by_matrix(asked, pool)), 2),
        "rdkit_seconds": round(rdkit_seconds, 2),
        "permitted_seconds": 5,
        "found_otherwise": int((found != by_matrix).sum() + (found[:FEW] != by_rdkit).sum()),
    }


def fingerprints() -> tuple[Fingerprints, Fingerprints]:
    """Return those of ChEBI-20's test split and of a pool of the size of its training split."""
    if data_root() is not None and not sets.is_absent(CHEBI20):
        packed = captions_of(sets.prepare("chebi20"))
        asked, pool = (
            bits_of(Fingerprints.of(CaptionRecords(packed, split).smiles))
            for split in ("test", "validation")
        )
        pool = np.concatenate([pool] * -(-POOL // len(pool)))[:POOL]
    else:
        generator = np.random.default_rng(0)
        drawn = (generator.random((QUERIES + POOL, BITS), np.float32) < SHARE).astype(np.uint8)
        asked, pool = drawn[:QUERIES], drawn[QUERIES:]
    return Fingerprints.of_bits(asked), Fingerprints.of_bits(pool)


def bits_of(prints: Fingerprints) -> NDArray[np.uint8]:
    """Return fingerprints as 0 and 1."""
    return np.unpackbits(prints.words_MW.view(np.uint8), axis=1)


def nearest_by_matrix(asked: Fingerprints, pool: Fingerprints) -> NDArray[np.int64]:
    """Return the nearest of the pool, shared bits counted by a product of float32 matrices."""
    x_QB, y_PB = (torch.from_numpy(bits_of(one)).float() for one in (asked, pool))
    of_P, found = y_PB.sum(1), []
    for x_qB in x_QB.split(BLOCK):
        shared = x_qB @ y_PB.t()
        found.append((shared / (x_qB.sum(1, keepdim=True) + of_P - shared)).numpy().argmax(1))
    return np.concatenate(found)


def nearest_by_rdkit(asked: Sequence[Any], pool: Sequence[Any]) -> NDArray[np.int64]:
    """Return the nearest of the pool as RDKit compares bit vectors, one query at a time."""
    return np.array([np.argmax(DataStructs.BulkTanimotoSimilarity(one, pool)) for one in asked])


def vectors(prints: Fingerprints) -> list[Any]:
    """Return fingerprints as RDKit's own bit vectors."""
    rows = bits_of(prints).tolist()
    return [DataStructs.CreateFromBitString("".join(map(str, row))) for row in rows]


def median(repeats: int, run: Callable[[], Any]) -> float:
    """Return the median time of a call, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
