"""PolyGraph's discrepancy beside figures of its public code.

They are what `_descriptions_to_classifier_metric(real, made, "jsd")` of polygraph-benchmark 1.1.0
returned for the same rows, with scikit-learn's LogisticRegression(max_iter=1000): the mean of the
folds and the distance on the half that was held out.
"""

import numpy as np
import pytest

from assay.pathways.metrics.discriminator import told_apart

FIGURES = {
    (40, 5, 0.0, 1): (0.2647715319300132, 0.0),
    (40, 5, 1.0, 2): (0.7653159839308653, 0.5168847275793852),
    (101, 30, 0.4, 3): (0.21943210548322828, 0.0),
    (60, 3, 3.0, 4): (0.6681669656988845, 0.7504469406542223),
}


@pytest.mark.parametrize("drawn", FIGURES)
def test_distances_are_those_of_polygraph(drawn):
    M, B, shift, seed = drawn
    generator = np.random.default_rng(seed)
    real_MB = generator.poisson(2.0, size=(M, B)).astype(float)
    made_MB = generator.poisson(2.0 + shift, size=(M, B)).astype(float)
    real_MB[:, 0] = made_MB[:, 0] = 1.0

    found = told_apart(real_MB, made_MB)

    # Its classifier is found by iteration: beyond this a version of scikit-learn may differ.
    assert (found.expected, found.value) == pytest.approx(FIGURES[drawn], abs=1e-5)


def test_rows_that_are_all_alike_are_at_the_distance_of_rounding():
    alike = np.ones((20, 3))
    found = told_apart(alike, alike)

    assert (found.expected, found.value) == pytest.approx((1.6986e-05, 1.6986e-05), rel=1e-4)
