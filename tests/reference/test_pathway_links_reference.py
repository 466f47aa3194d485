"""AUC and average precision of links against scikit-learn's."""

import numpy as np
import pytest

from assay.pathways.metrics import links

sklearn = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("seed", range(20))
def test_auc_and_average_precision_are_those_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    edge = generator.random(200) < 0.2
    scores = generator.integers(0, 12, 200) / 4  # with many ties

    assert links.auc(scores[edge], scores[~edge]) == pytest.approx(
        sklearn.roc_auc_score(edge, scores)
    )
    assert links.average_precision(edge, scores) == pytest.approx(
        sklearn.average_precision_score(edge, scores)
    )
