import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.errors import DataError
from assay.pathways.metrics import links
from assay.pathways.metrics.links import Scored

CHAIN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
NOTHING, EVERYTHING = np.zeros((3, 3), bool), ~np.eye(3, dtype=bool)
SCORES = arrays(float, (4, 4), elements=st.floats(-9, 9, width=16))
EDGES = arrays(bool, (4, 4))


def test_auc_counts_pairs_in_order_and_half_of_ties():
    # 3 > 2, 3 > 1, 1 < 2, 1 = 1.
    assert links.auc(np.array([3.0, 1.0]), np.array([2.0, 1.0])) == (2 + 0.5) / 4


def test_average_precision_enters_ties_together():
    # Scores 3: one hit of one; 2: two of three; recall rises by a half at each.
    edge = np.array([True, True, False, False])

    assert links.average_precision(edge, np.array([3.0, 2.0, 2.0, 1.0])) == 0.5 + 0.5 * 2 / 3


def test_reconstruction_is_over_all_ordered_pairs_and_the_mean_over_graphs():
    perfect = Scored(CHAIN, CHAIN.astype(float))
    blind = Scored(CHAIN, np.zeros((3, 3)))
    found = links.reconstruction([perfect, blind, Scored(NOTHING, np.ones((3, 3)))])

    assert found["reconstruction/auc"].value == (1 + 0.5) / 2
    assert found["reconstruction/average_precision"].value == pytest.approx((1 + 2 / 6) / 2)
    assert found["reconstruction/auc"].n == 2


def test_graphs_that_cannot_be_rated_leave_no_estimate():
    assert links.reconstruction([Scored(EVERYTHING, np.ones((3, 3)))]) == {}


@settings(deadline=None)
@given(edges=EDGES, scores=SCORES, half=EDGES)
def test_an_undirected_score_orients_exactly_one_half(edges, scores, half):
    undirected = scores + scores.T
    found = links.reversed_edges([Scored(edges, undirected)], [half & edges])

    assert all(estimate.value == 0.5 for estimate in found.values())


@settings(deadline=None)
@given(edges=EDGES, scores=SCORES)
def test_turning_every_edge_round_turns_the_figure_round(edges, scores):
    np.fill_diagonal(edges, False)
    here = links.reversed_edges([Scored(edges, scores)], [edges])
    there = links.reversed_edges([Scored(edges.T, scores)], [edges.T])

    assert here.keys() == there.keys()
    for name, estimate in here.items():
        assert there[name].value == pytest.approx(1 - estimate.value)


@settings(deadline=None)
@given(edges=EDGES, scores=SCORES)
def test_auc_is_that_of_every_pair_compared(edges, scores):
    positives, negatives = scores[edges], scores[~edges]
    if not len(positives) or not len(negatives):
        return
    wins = [(p > n) + (p == n) / 2 for p, n in itertools.product(positives, negatives)]

    assert links.auc(positives, negatives) == pytest.approx(np.mean(wins))


def test_only_held_out_edges_without_a_reverse_are_asked():
    edges = np.array([[0, 1, 1], [0, 0, 1], [1, 0, 0]], bool)  # 0 <-> 2 has no direction
    scores = np.array([[0.0, 5.0, 9.0], [1.0, 0.0, 0.0], [0.0, 7.0, 0.0]])
    graph = Scored(edges, scores)

    everything = links.reversed_edges([graph], [edges])["reversed_edge/auc"]
    assert (everything.value, everything.n) == (0.5, 2)
    one = np.zeros((3, 3), bool)
    one[0, 1] = True
    assert links.reversed_edges([graph], [one])["reversed_edge/auc"].value == 1.0
    one[0, 1], one[0, 2] = False, True
    assert links.reversed_edges([graph], [one]) == {}


def test_edges_that_training_does_not_join_are_asked_apart():
    edges = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 0]], bool)
    scores = np.array([[0.0, 5.0, 1.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    new = np.zeros((3, 3), bool)
    new[0, 2] = new[2, 0] = True

    found = links.reversed_edges([Scored(edges, scores)], [edges], new=[new])

    assert (found["reversed_edge/auc"].value, found["reversed_edge/auc"].n) == (0.5, 2)
    assert (found["reversed_edge/auc_new"].value, found["reversed_edge/auc_new"].n) == (0.0, 1)
    assert list(links.reversed_edges([Scored(edges, scores)], [edges], new=[~edges & edges])) == [
        "reversed_edge/auc"
    ]


def test_scores_that_do_not_fit_or_are_not_finite_are_refused():
    with pytest.raises(DataError, match="square and alike"):
        Scored(CHAIN, np.zeros((2, 2)))
    scores = np.zeros((3, 3))
    np.fill_diagonal(scores, np.nan)
    Scored(CHAIN, scores)
    scores[0, 1] = np.inf
    with pytest.raises(DataError, match="not finite"):
        Scored(CHAIN, scores)
