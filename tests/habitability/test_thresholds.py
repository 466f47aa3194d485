"""Habitability as chances of reaching thresholds."""

import numpy as np
import pytest
import torch

from assay.habitability.data.target import COUNT, HABITABLE, THRESHOLDS
from assay.habitability.thresholds import Chances, expected, reached


def test_the_middle_threshold_is_a_half():
    assert THRESHOLDS[HABITABLE] == 0.5
    assert len(THRESHOLDS) == COUNT


def test_the_mean_chance_is_the_expected_value():
    labels = torch.tensor([0.0, 0.03, 0.5, 0.97, 1.0])

    found = expected(reached(labels).float())

    assert found.tolist() == pytest.approx([0, 0, 6 / 11, 1, 1])
    assert (found - labels).abs().max() <= 0.5 / COUNT + 1e-6
    many = torch.linspace(0, 1, 1001)
    assert float(expected(reached(many).float()).mean()) == pytest.approx(0.5, abs=1e-3)


def test_chances_begin_at_the_training_shares_and_never_rise_with_the_threshold():
    torch.manual_seed(0)
    share = torch.linspace(0.6, 0.05, COUNT)
    head = Chances(8, share)

    at_zero = head(torch.zeros(1, 8)).sigmoid()
    anywhere = head(5 * torch.randn(200, 8))

    torch.testing.assert_close(at_zero[0], share, rtol=1e-3, atol=1e-3)
    assert (anywhere[:, 1:] <= anywhere[:, :-1]).all()


def test_shares_that_are_equal_still_give_finite_odds():
    head = Chances(8, torch.full((COUNT,), 0.3))

    with torch.no_grad():
        odds = head(torch.zeros(1, 8))

    assert torch.isfinite(odds).all()
    assert float(odds.sigmoid()[0, 0]) == pytest.approx(0.3)


def test_chances_can_be_learnt():
    """A planet is 0 or 1 by its first entry, in nine of ten cases: odds find the nine tenths."""
    draw = np.random.default_rng(0)
    kind = draw.random(400) < 0.5
    label = torch.from_numpy(np.where(draw.random(400) < 0.9, kind, ~kind).astype(np.float32))
    x = torch.from_numpy(np.stack([kind, ~kind], 1).astype(np.float32))
    torch.manual_seed(0)
    head = Chances(2, torch.full((COUNT,), 0.5))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)

    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(
            head(x), reached(label).float()
        ).backward()
        optimizer.step()

    found = head(torch.eye(2)).sigmoid()[:, HABITABLE]
    shares = [float(label[torch.from_numpy(mask)].mean()) for mask in (kind, ~kind)]
    assert found.tolist() == pytest.approx(shares, abs=0.03)
