import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.metrics import conditional
from tests.pathways.metrics import tiny as t


def sizes(graphs):
    return (graphs.node_counts > 2).astype(int)


def test_fidelity_is_the_share_that_is_classed_as_asked():
    found = conditional.fidelity(t.packed(t.PAIR, t.CHAIN, t.CHAIN), np.array([0, 1, 0]), sizes)

    estimate = found["conditional/fidelity"]
    assert (estimate.value, estimate.n, estimate.better) == (2 / 3, 3, "higher")


def test_a_classifier_that_answers_for_other_graphs_is_refused():
    with pytest.raises(DataError, match="2 graphs, 1 wishes"):
        conditional.fidelity(t.packed(t.PAIR, t.CHAIN), np.array([0]), sizes)


def test_the_ceiling_counts_both_classes_alike():
    graphs = t.packed(t.CHAIN, t.CHAIN, t.CHAIN, t.CYCLE)
    wanted = np.array([0, 0, 0, 1])

    found = conditional.ceiling(graphs, wanted, lambda some: np.zeros(len(some), np.int64))

    assert found["conditional/fidelity"].value == 0.5
    assert found["conditional/fidelity"].n == 4
