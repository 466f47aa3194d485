import numpy as np
import pytest

from assay.errors import DataError
from assay.interactions.metrics import evaluate, hits_at_k
from assay.statistics.intervals import wilson

RANDOM = np.random.default_rng(0)


def brute_force(positive, negative, k) -> float:
    """The official definition, one pair at a time."""
    threshold = sorted(negative, reverse=True)[k - 1]
    return sum(score > threshold for score in positive) / len(positive)


def test_hits_by_hand():
    """The second best of 9, 7, 5 is 7: 8 and 7.5 are above, 7 ties and 6 is below."""
    found = hits_at_k(np.array([8.0, 7.5, 7.0, 6.0]), np.array([5.0, 9.0, 7.0]), k=2)

    assert (found.value, found.n, found.better) == (0.5, 4, "higher")


def test_a_tie_with_the_threshold_is_no_hit():
    assert hits_at_k(np.ones(10), np.ones(30), k=20).value == 0.0


def test_equal_negatives_count_one_by_one():
    """The third best of 3, 3, 3, 1 is 3, not 1."""
    assert hits_at_k(np.array([2.0]), np.array([3.0, 1.0, 3.0, 3.0]), k=3).value == 0.0


@pytest.mark.parametrize("k", [1, 3, 20, 50])
def test_the_brute_force_agrees_with_many_ties(k):
    positive, negative = RANDOM.integers(0, 9, 60) / 8, RANDOM.integers(0, 8, 50) / 8

    assert hits_at_k(positive, negative, k).value == brute_force(positive, negative, k)


def test_a_constant_predictor_scores_nothing():
    estimates = evaluate(np.zeros(100), np.zeros(1000))

    assert set(estimates) == {"ogb/hits_at_10", "ogb/hits_at_20", "ogb/hits_at_30"}
    for estimate in estimates.values():
        assert (estimate.value, estimate.low) == (0.0, 0.0)
        assert estimate.high == wilson(0, 100)[1] > 0


def test_kinds_of_edges_are_held_against_the_threshold_of_all():
    """The 20th best of 1 to 100 is 81; no edge has both structures."""
    positive, negative = np.array([80.0, 82.0, 90.0, 81.0]), np.arange(1.0, 101.0)

    found = evaluate(positive, negative, np.array([0, 0, 1, 1]))

    assert found["ogb/hits_at_20"].value == 0.5
    assert found["coverage/hits_at_20_none"].value == 0.5
    assert found["coverage/hits_at_20_one"].value == 0.5
    assert (found["coverage/hits_at_20_one"].n, found["ogb/hits_at_10"].value) == (2, 0.0)
    assert "coverage/hits_at_20_both" not in found


def test_the_interval_is_the_bootstrap_of_positives_and_negatives():
    positive, negative = RANDOM.normal(2.0, 1.0, 300), RANDOM.normal(0.0, 1.0, 400)

    estimate = hits_at_k(positive, negative, k=20)

    random = np.random.default_rng(1)
    plain = [
        brute_force(random.choice(positive, 300), random.choice(negative, 400), 20)
        for _ in range(2000)
    ]
    assert (estimate.low, estimate.high) == pytest.approx(
        np.quantile(plain, [0.025, 0.975]), abs=0.02
    )
    assert estimate.low < estimate.value < estimate.high


def test_the_interval_is_wider_than_that_of_a_fixed_threshold():
    """Twenty negatives of five thousand decide: that is most of what is uncertain."""
    positive, negative = RANDOM.normal(2.0, 1.0, 5000), RANDOM.normal(0.0, 1.0, 5000)

    estimate = hits_at_k(positive, negative, k=20)

    low, high = wilson(estimate.value * 5000, 5000)
    assert estimate.high - estimate.low > 3 * (high - low)


def test_the_same_scores_give_the_same_estimate():
    scores = RANDOM.normal(1.0, 1.0, 100), RANDOM.normal(0.0, 1.0, 100)

    assert evaluate(*scores) == evaluate(*scores)


@pytest.mark.parametrize(
    ("positive", "negative", "said"),
    [
        ([0.1, np.nan], np.zeros(20), "scores of edges: 1 of 2 are not finite"),
        ([0.1], np.full(20, np.inf), "scores of negatives: 20 of 20 are not finite"),
        ([], np.zeros(20), "scores of edges: there are none"),
        ([0.1], [], "scores of negatives: 0 are too few for Hits@30"),
        ([0.1], np.zeros(29), "scores of negatives: 29 are too few for Hits@30"),
    ],
)
def test_what_cannot_be_ranked_is_refused(positive, negative, said):
    with pytest.raises(DataError, match=said):
        evaluate(np.asarray(positive, dtype=float), np.asarray(negative, dtype=float))


def test_an_interval_has_a_width_where_hardly_any_resample_differs():
    """The threshold falls to 0, below all positives, in two of a thousand resamples."""
    found = hits_at_k(np.full(100, 0.5), np.repeat([1.0, 0.0], [35, 965]), k=20)

    assert (found.value, found.low, found.high) == (0.0, *wilson(0, 100))
