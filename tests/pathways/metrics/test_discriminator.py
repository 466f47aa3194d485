import numpy as np
import pytest

from assay.pathways.metrics import descriptors, discriminator
from tests.pathways.metrics import tiny as t

SPARSE, DENSE = t.random_graphs(80, seed=1), t.random_graphs(60, seed=2, density=0.6)
ALIKE = t.random_graphs(70, seed=3)


def test_sets_that_anyone_tells_apart_are_at_a_distance_near_one():
    chains, cycles = [t.CHAIN] * 40, [t.CYCLE] * 40
    found = discriminator.evaluate(t.packed(*chains), t.packed(*cycles))

    for name in ("discrepancy", "in_degree", "out_degree", "clustering", "spectrum"):
        assert found[f"pgd/{name}"].value > 0.9, name


def test_graphs_of_one_kind_are_hardly_told_apart_and_others_are():
    real = t.packed(*SPARSE)
    alike = discriminator.evaluate(t.packed(*ALIKE), real)["pgd/discrepancy"]
    others = discriminator.evaluate(t.packed(*DENSE), real)["pgd/discrepancy"]

    assert alike.value < 0.2
    assert others.value > 0.5
    assert alike.high < others.low
    assert (alike.n, others.n, others.better) == (70, 60, "lower")


def test_the_discrepancy_is_of_the_descriptor_that_the_folds_choose(monkeypatch):
    monkeypatch.setattr(descriptors, "find_spec", lambda name: None)
    of_each = [(0.2, 0.9), (0.7, 0.4), (0.5, 0.6), (0.1, 0.1)]
    told = iter([discriminator.Told(folds, held, (held, held)) for folds, held in of_each])
    monkeypatch.setattr(discriminator, "told_apart", lambda *given: next(told))

    found = discriminator.evaluate(t.packed(*DENSE), t.packed(*SPARSE))
    assert [one.value for one in found.values()] == [0.4, 0.9, 0.4, 0.6, 0.1]
    assert found["pgd/discrepancy"].value == found["pgd/out_degree"].value == 0.4


def test_neither_the_numbering_of_nodes_nor_the_order_of_graphs_matters():
    generator, real = np.random.default_rng(0), t.packed(*SPARSE)
    moved = [
        t.relabelled(graph, generator.permutation(len(graph[0])).tolist())
        for graph in generator.permutation(np.array(DENSE, dtype=object)).tolist()
    ]

    straight = discriminator.evaluate(t.packed(*DENSE), real)
    assert discriminator.evaluate(t.packed(*moved), real) == straight


def test_the_version_says_all_that_a_number_depends_on(monkeypatch):
    monkeypatch.setattr(descriptors, "find_spec", lambda name: None)
    found = discriminator.evaluate(t.packed(*DENSE), t.packed(*SPARSE))

    assert found["pgd/spectrum"].version == (
        "1: Jensen-Shannon distance, logistic regression, 60 of each"
    )
    assert found["pgd/discrepancy"].version.endswith(
        "60 of each, by the best of in_degree out_degree clustering spectrum"
    )


@pytest.mark.parametrize("few", [0, 1])
def test_too_few_graphs_are_not_told_apart(few):
    sets = [t.packed(*SPARSE[: discriminator.FEWEST - 1]), t.packed(*DENSE)]

    assert discriminator.evaluate(sets[few], sets[1 - few]) == {}


def test_the_interval_holds_what_the_same_classifier_has_of_fresh_graphs():
    # log₂ p of real and log₂ (1 − p) of generated graphs, as a classifier might say them.
    generator = np.random.default_rng(0)
    logs = [np.log2(generator.uniform(low, 1, 100_000)) for low in (0.5, 0.6)]
    truth = discriminator.distance(*(each.mean() for each in logs))
    covered = 0
    for seed in range(100):
        drawn = [generator.choice(each, 80) for each in logs]
        low, high = discriminator._interval(*drawn, seed)
        covered += low <= truth <= high

    assert 88 <= covered <= 99
