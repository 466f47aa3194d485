"""What a suite will cost, and what only its measured steps can tell of it."""

import pytest

from assay.cell import load_suite
from assay.errors import ConfigError
from assay.plan import plan_cells
from assay.store import sets
from assay.training.execution import Execution
from tests.test_cell import ROOT


def planned(*overrides: str):
    """The plan of a narrow GNN whose budget is in FLOPs."""
    given = (
        "grid={architecture: [gnn], process: [flow_matching]}", "rules=[]",
        "settings={network: {size: xs, width: 16}}", "budget={flops: 8.0e+9}", *overrides,
    )  # fmt: skip
    suite = load_suite(ROOT / "sweeps" / "grid_mini.yaml", given)
    named = suite.named_cells(sets.open_set("mini").digest)
    return plan_cells(named, Execution(), lambda name: None)["gnn-flow_matching s0"]


def test_flops_that_end_within_the_warm_up_are_refused_with_their_steps(mini):
    constant = "training={batch_size: 16, schedule: constant, warmup_steps: %d}"

    steps = planned("training={batch_size: 16}").steps
    assert 10 < steps < 1000
    begin = int(0.8 * steps)

    assert planned(constant % (begin - 1)).steps == steps
    with pytest.raises(ConfigError) as refused:
        planned(constant % (steps + 1))
    assert str(refused.value) == (
        f"gnn-flow_matching s0: warmup_steps {steps + 1}: the cool-down begins at step {begin} of "
        f"this budget already, which is {steps} steps; give more FLOPs or a shorter warm-up"
    )
