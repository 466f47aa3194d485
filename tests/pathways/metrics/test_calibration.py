import numpy as np
import pytest

from assay.pathways.metrics import calibration
from assay.pathways.metrics.links import Scored


def scored(share, given, seed=0, graphs=30, N=12) -> list[Scored]:
    random = np.random.default_rng(seed)
    odds = np.log(given / (1 - given))
    return [Scored(random.random((N, N)) < share, np.full((N, N), odds)) for _ in range(graphs)]


def test_the_error_is_how_far_probabilities_are_from_shares():
    edges = np.array([[0, 1], [0, 0]], bool)
    one = Scored(edges, np.log(np.array([[1.0, 0.8 / 0.2], [0.3 / 0.7, 1.0]])))

    found = calibration.evaluate([one])["calibration/ece"]

    assert found.value == pytest.approx((0.2 + 0.3) / 2)
    assert found.better == "lower"
    assert calibration.evaluate([]) == {}


def test_what_is_right_is_near_0_and_what_is_not_is_far_with_its_interval():
    right = calibration.evaluate(scored(0.3, 0.3))["calibration/ece"]
    wrong = calibration.evaluate(scored(0.3, 0.6))["calibration/ece"]

    assert right.value < 0.02
    assert wrong.low < 0.3 < wrong.high
    assert wrong.high - wrong.low < 0.06


def test_the_diagram_has_the_bins_that_are_not_empty():
    (row,) = calibration.reliability(scored(0.3, 0.6))

    assert row["pairs"] == 30 * 12 * 11
    assert row["probability"] == pytest.approx(0.6)
    assert row["share"] == pytest.approx(0.3, abs=0.02)
