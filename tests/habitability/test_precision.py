"""A planet's language model trains in bfloat16 as it does in float32, up to rounding."""

import math

import pytest

from assay.runner import train_until
from assay.training.execution import Execution
from tests.habitability.test_task import cell, losses

pytestmark = pytest.mark.slow
STEPS = 12


def rows(folder, storage, precision, weights="float32"):
    one = cell(
        "cross_attention",
        f"budget.steps={STEPS}",
        "grid.fusion=[cross_attention]",
        "rules=[]",
        f"training.precision={precision}",
        f"settings.model={{size: xs, language_model: {{model: {folder}, precision: {weights}}}}}",
    )
    train_until(one, Execution(), storage, lambda report: None, 1.0)
    return losses(storage, one)


@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_losses_of_bfloat16_stay_near_those_of_float32(folder, cached_planets, tmp_path, weights):
    """A part in a hundred of each step's loss, and of each of the four; all of them finite."""
    exact = rows(folder, tmp_path / "fp32", "fp32")
    rough = rows(folder, tmp_path / "bf16", "bf16", weights)

    assert len(exact) == len(rough) == STEPS
    assert all(math.isfinite(value) for row in rough for value in row.values())
    for whole, row in zip(exact, rough, strict=True):
        for name in ("loss", "classification", "reconstruction", "physics", "consistency"):
            assert row[f"train/{name}"] == pytest.approx(whole[f"train/{name}"], rel=0.01), name
    assert rough[0]["train/loss"] != exact[0]["train/loss"], "another precision rounds otherwise"
