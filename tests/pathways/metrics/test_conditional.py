import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.metrics import conditional


def of(found, wanted, sources=None):
    found, wanted = np.array(found), np.array(wanted)
    return conditional.balanced(
        found, wanted, np.arange(len(found)) if sources is None else np.array(sources)
    )


def test_both_classes_count_alike():
    found = of([0, 0, 0, 0], [0, 0, 0, 1])

    assert (found.value, found.n, found.better, found.version) == (0.5, 4, "higher", "2")
    assert of([1, 1, 0, 0], [1, 1, 1, 0]).value == pytest.approx((2 / 3 + 1) / 2)


def test_graphs_of_one_source_are_one_trial():
    """Ten graphs of each source say the same: they are no more evidence than one."""
    random = np.random.default_rng(0)
    wanted = np.repeat([0, 1], 20)
    found = np.where(random.random(40) < 0.7, wanted, 1 - wanted)

    once = of(found, wanted)
    often = of(np.repeat(found, 10), np.repeat(wanted, 10), np.repeat(np.arange(40), 10))
    alone = of(np.repeat(found, 10), np.repeat(wanted, 10))

    assert often.value == once.value
    assert often.n == 400
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.5 * (often.high - often.low)


def test_one_source_may_serve_both_classes():
    found = of([0, 1, 0, 1], [0, 1, 0, 1], [5, 5, 6, 6])

    assert found.value == 1
    assert found.low == pytest.approx(0.51, abs=0.01), "four clusters of which none errs"


def test_the_interval_holds_what_fresh_graphs_have():
    """Of a judge that is right of 90 % of a rare class and 60 % of the other: 0.75."""
    random, held = np.random.default_rng(1), 0
    wanted = np.repeat([0, 1], [10, 50])
    for _ in range(200):
        right = random.random(60) < np.where(wanted == 0, 0.9, 0.6)
        found = of(np.where(right, wanted, 1 - wanted), wanted)
        held += found.low <= 0.75 <= found.high

    assert 0.85 < held / 200 < 0.99


def test_answers_of_other_graphs_are_refused():
    with pytest.raises(DataError, match="2 answers of the judge, 1 wishes and 2 sources"):
        of([0, 1], [0], [0, 1])
    with pytest.raises(DataError, match="at least one graph"):
        of([], [])
