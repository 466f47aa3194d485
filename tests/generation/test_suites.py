"""Suites of real data make cells that learn: tried on the mini sets, which have the same kinds."""

import numpy as np
import pytest
import torch

from assay.cell import load_suite
from assay.generation.task import GenerationTask
from assay.store import sets
from assay.task import Stage
from tests.test_cell import ROOT


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("scaling_model_pairformer", "mini"),
        ("conditions_qm9", "mini"),
        ("grid_mp20", "mini_crystals"),
        ("csp_mp20", "mini_crystals"),
    ],
)
def test_every_model_of_a_suite_has_a_loss_and_targets(name, data, mini_crystals):
    suite = load_suite(ROOT / "sweeps" / f"{name}.yaml", (f"data={data}",))
    named = suite.named_cells(sets.open_set(data).digest)
    models = {(cell.label, str(cell.settings.network)): cell for cell in named.values()}
    assert len(models) == {"scaling_model_pairformer": 4, "conditions_qm9": 1}.get(name, 9)

    for cell in models.values():
        task = GenerationTask(cell)
        splits = task.data()
        torch.manual_seed(0)
        loss = task.loss(task.model(splits), splits.train.batch(np.arange(4)), Stage("train"), 0)
        assert torch.isfinite(loss.total)
        asked = name.startswith(("conditions", "csp"))
        assert (task.targets(5) is not None) == asked
