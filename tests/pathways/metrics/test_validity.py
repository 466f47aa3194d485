import numpy as np
import pytest
from hypothesis import given, settings

from assay.pathways.metrics import validity
from assay.pathways.metrics.validity import Limits
from tests.pathways.metrics import tiny as t

FREE = Limits(in_degree=9, out_degree=9, conserved=None)


def test_a_graph_is_connected_whatever_the_directions():
    found = validity.connected(t.packed(t.CHAIN, t.APART, t.FORK, (["a"], []), (["a", "b"], [])))

    assert found.tolist() == [True, False, True, True, False]


def test_a_pathway_has_an_entry_and_an_exit_or_is_a_cycle():
    lollipop = (["a", "b", "c", "d"], [(0, 1), (1, 2), (2, 0), (2, 3)])
    two_cycles = (list("abcdef"), [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)])
    found = validity.judge(
        t.packed(t.CHAIN, t.CYCLE, t.BOTH_WAYS, lollipop, two_cycles, (["a"], [])), None
    )

    assert found.sources_sinks.tolist() == [True, True, True, False, False, False]
    assert found.valid is None


def test_limits_are_the_quantiles_of_the_training_nodes():
    # Of 1,998 nodes two (0.1 %) have two outgoing edges: at most the limit is one.
    many = t.packed(*[t.PAIR] * 999)
    forks = t.packed(*[t.PAIR] * 300, *[t.FORK] * 3)

    assert Limits.learnt(many, {}) == Limits(1, 1, None)
    assert Limits.learnt(forks, {}) == Limits(1, 2, None)


def test_a_node_beyond_the_limits_makes_a_graph_invalid():
    found = validity.judge(t.packed(t.CHAIN, t.FORK), Limits(1, 1, None))

    assert found.degree is not None
    assert found.degree.tolist() == [True, False]
    assert found.valid is not None
    assert found.valid.tolist() == [True, False]


def test_atoms_fail_a_graph_below_the_limit_but_not_one_that_nothing_is_known_of():
    formulas = {"a": np.array([6, 0]), "b": np.array([6, 0]), "z": np.array([0, 4])}
    away = (["a", "z"], [(0, 1)])
    unknown = (["a", "?"], [(0, 1)])
    found = validity.judge(t.packed(t.PAIR, away, unknown), Limits(9, 9, 0.5), formulas)

    assert found.atoms is not None
    assert found.atoms.tolist() == [True, False, True]


def test_rejected_records_fail_every_share():
    found = validity.evaluate(t.packed(t.CHAIN, t.CYCLE, t.APART), FREE, rejected=1)

    assert found["validity/connected"].value == 2 / 4
    assert found["validity/sources_sinks"].value == 3 / 4
    assert found["validity/degree"].value == 3 / 4
    assert found["validity/valid"].value == 2 / 4
    assert found["validity/valid"].n == 4
    assert "in-degree <= 9" in found["validity/valid"].version
    assert "validity/atoms" not in found


def test_atoms_are_the_mean_over_edges_and_say_their_coverage():
    # a → b conserves all; b → c: 2·3 / (6 + 4); c is unknown in the second graph's end.
    formulas = {"a": np.array([6]), "b": np.array([6]), "c": np.array([4])}
    found = validity.evaluate(t.packed(t.CHAIN, (["a", "?"], [(0, 1)])), FREE, formulas)

    assert found["validity/atoms"].value == pytest.approx((1 + 8 / 10) / 2)
    assert found["validity/atoms"].n == 2
    assert found["validity/atoms_coverage"].value == pytest.approx(2 / 3)
    assert found["validity/atoms_coverage"].n == 3


def test_reciprocity_is_the_share_of_edges_whose_reverse_is_listed():
    half = (["a", "b", "c", "d"], [(0, 1), (1, 0), (1, 2), (2, 3)])
    share = validity.reciprocal_share(t.packed(half, t.CHAIN))

    assert share is not None
    assert (share.value, share.n) == (2 / 6, 6)
    assert validity.reciprocal_share(t.packed((["a"], []))) is None


def test_the_error_of_reciprocity_has_no_sign():
    here, there = t.packed(t.CHAIN), t.packed(t.BOTH_WAYS, t.CHAIN)
    for ours, theirs in ((here, there), (there, here)):
        found = validity.reciprocity(ours, theirs)["structure/reciprocity_error"]
        assert found.value == 0.5
        assert found.low <= 0.5 <= found.high
    assert validity.reciprocity(here, t.packed((["a"], []))) == {}


@settings(deadline=None, max_examples=60)
@given(drawn=t.graphs_and_orders())
def test_the_numbering_of_nodes_never_matters(drawn):
    graph, order = drawn
    found = validity.judge(t.packed(graph, t.relabelled(graph, order)), Limits(2, 2, None))

    assert found.valid is not None
    for passed in (found.connected, found.sources_sinks, found.degree, found.valid):
        assert passed is not None
        assert passed[0] == passed[1]
