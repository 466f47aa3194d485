import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.pathways.metrics import descriptors, mmd
from tests.pathways.metrics import tiny as t


def rows(*values, histogram=True):
    return mmd.Rows.of(np.array(values, float), histogram)


def test_mmd_of_two_single_graphs_is_two_minus_twice_their_kernel():
    # Histograms (1, 0) and (0, 1), each over 1 + 1e-6: their TV is 1 / (1 + 1e-6).
    expected = 2 - 2 * math.exp(-((1 / (1 + 1e-6)) ** 2) / 2)

    assert mmd.squared(rows([1, 0]), rows([0, 1]), sigma=1.0) == pytest.approx(expected, rel=1e-12)


def test_counts_are_not_normalised():
    # TV is ½ (3 + 1) = 2, and k = exp(−4 / (2·30²)).
    here, there = rows([3, 0], histogram=False), rows([0, 1], histogram=False)

    assert mmd.squared(here, there, 30.0) == pytest.approx(2 - 2 * math.exp(-4 / 1800), rel=1e-9)


def test_equal_sets_are_at_no_distance_in_any_order():
    graphs = t.random_graphs(20)
    found = mmd.evaluate(t.packed(*graphs), t.packed(*reversed(graphs)))

    assert all(abs(estimate.value) < 1e-12 for estimate in found.values())


def test_a_narrower_histogram_is_continued_with_zeros():
    wide, narrow = rows([1, 1, 0]), rows([1, 1])

    assert mmd.squared(wide, narrow, 1.0) == pytest.approx(0, abs=1e-15)


def test_repeating_every_graph_changes_no_value():
    here, there = t.random_graphs(7), t.random_graphs(5, seed=1)
    once = mmd.evaluate(t.packed(*here), t.packed(*there))
    thrice = mmd.evaluate(t.packed(*here * 3), t.packed(*there))

    for name, estimate in once.items():
        assert thrice[name].value == pytest.approx(estimate.value, abs=1e-12)
        assert thrice[name].n == 21


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_neither_the_numbering_of_nodes_nor_the_order_of_graphs_matters(data):
    drawn = data.draw(st.lists(t.graphs_and_orders(), min_size=2, max_size=5))
    order = data.draw(st.permutations(range(len(drawn))))
    reference = t.packed(*t.random_graphs(6))
    straight = mmd.evaluate(t.packed(*(graph for graph, _ in drawn)), reference)
    moved = [t.relabelled(*drawn[k]) for k in order]
    shuffled = mmd.evaluate(t.packed(*moved), reference)

    assert shuffled == straight


def test_a_ratio_is_the_distance_over_that_of_as_many_training_graphs():
    here, there, train = (t.random_graphs(n, seed=n) for n in (3, 8, 5))
    found = mmd.evaluate(t.packed(*here), t.packed(*there), t.packed(*train))
    own = [mmd.evaluate(t.packed(*each), t.packed(*there)) for each in combinations(train, 3)]

    for name in mmd.usable():
        mean = np.mean([each[f"mmd/{name}"].value for each in own])
        ratio = found[f"mmd_ratio/{name}"]
        assert ratio.value == pytest.approx(found[f"mmd/{name}"].value / mean)
        assert ratio.version.startswith("2 of mmd 1: ")
        assert ratio.version.endswith("over what 3 of 5 train have on average")


def test_nothing_is_divided_by_a_distance_of_rounding():
    graphs = t.packed(*t.random_graphs(8))

    assert not [name for name in mmd.evaluate(graphs, graphs, graphs) if name.startswith("mmd_r")]


def test_the_version_says_all_that_a_number_depends_on():
    found = mmd.evaluate(t.packed(t.CHAIN, t.FORK), t.packed(t.CYCLE))

    version = found["mmd/clustering"].version
    for word in ("Gaussian TV", "sigma 0.1", "100 bins", "2 generated", "1 reference"):
        assert word in version
    assert found["mmd/clustering"].better == "lower"


def test_the_interval_holds_the_distances_of_fresh_sets():
    # Sets of 60 from one population: the value of one, its interval, and 200 others.
    population = descriptors.out_degrees(t.packed(*t.random_graphs(3000, seed=5)))
    other = mmd.Rows.of(
        descriptors.out_degrees(t.packed(*t.random_graphs(80, seed=6, density=0.5))), True
    )
    generator = np.random.default_rng(0)

    def fresh():
        drawn = mmd.Rows.of(population[generator.choice(3000, 60, replace=False)], True)
        return mmd.discrepancy(drawn, other, 1.0)

    truth = mmd.squared(mmd.Rows.of(population, True), other, 1.0)
    # The mean of fresh sets is above the truth by the bias of the V-statistic, which all share.
    found = [fresh() for _ in range(100)]
    centre = np.mean([one.value for one in found])
    assert truth < centre
    covered = sum(one.interval[0] <= centre <= one.interval[1] for one in found)
    assert 88 <= covered <= 100


def test_without_orbit_count_the_rest_is_measured(monkeypatch):
    monkeypatch.setattr(descriptors, "find_spec", lambda name: None)
    found = mmd.evaluate(t.packed(t.CHAIN), t.packed(t.CYCLE))

    assert list(found) == ["mmd/in_degree", "mmd/out_degree", "mmd/clustering", "mmd/spectrum"]


def test_a_glance_is_the_mean_of_four_distances():
    one, other = t.packed(*t.random_graphs(12)), t.packed(*t.random_graphs(12, seed=1))
    found = mmd.evaluate(one, other)

    names = ("in_degree", "out_degree", "clustering", "spectrum")
    mean = np.mean([found[f"mmd/{name}"].value for name in names])
    assert mmd.glance(one, other) == pytest.approx(mean)
