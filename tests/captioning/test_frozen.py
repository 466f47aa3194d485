from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from assay.captioning.frozen import FrozenRows, Weights

IDS = np.array([3, 70, 5, 64])
BLOCKS = [[3, 5], [70, 64]]


@dataclass
class Batch:
    tokens_BT: torch.Tensor

    @property
    def labels_BT(self):
        return self.tokens_BT + 1


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))


def rows_of(model, on_disk=None):
    """Rows that are the model's answer to a record's id, and the ids that it was asked."""
    asked = []

    def compute(batch):
        asked.append(batch.tokens_BT[:, 0].tolist())
        return model(batch.tokens_BT.float())

    def read(places):
        return Batch(torch.from_numpy(IDS[places])[:, None])

    return FrozenRows(IDS, read, compute, Weights(model.parameters), on_disk), asked


def answers(model):
    with torch.no_grad():
        return model(torch.tensor([[70.0], [3.0]]))


def test_rows_are_computed_once_in_blocks_of_ids():
    torch.manual_seed(0)
    model = nn.Linear(1, 2)
    rows, asked = rows_of(model)

    assert torch.equal(rows.of(torch.tensor([70, 3])), answers(model))
    assert torch.equal(rows.of(torch.tensor([70, 3])), answers(model))
    assert asked == BLOCKS
    assert len(rows) == 4


def test_rows_of_other_weights_are_refused_and_computed_anew():
    torch.manual_seed(0)
    model = nn.Linear(1, 2)
    rows, asked = rows_of(model)
    before = rows.of(torch.tensor([70, 3]))

    with torch.no_grad():
        model.weight += 1

    assert torch.equal(rows.of(torch.tensor([70, 3])), answers(model))
    assert not torch.equal(before, answers(model))
    assert asked == BLOCKS * 2


def test_weights_that_were_loaded_again_are_the_same():
    model = nn.Linear(1, 2)
    rows, asked = rows_of(model)
    rows.of(torch.tensor([70, 3]))

    model.load_state_dict({name: each.clone() for name, each in model.state_dict().items()})
    rows.of(torch.tensor([70, 3]))

    assert asked == BLOCKS


def test_what_is_on_disk_is_of_one_model():
    torch.manual_seed(0)
    model, other = nn.Linear(1, 2), nn.Linear(1, 2)
    rows_of(model, "answers")[0].of(torch.tensor([70, 3]))

    again, asked = rows_of(model, "answers")
    assert torch.equal(again.of(torch.tensor([70, 3])), answers(model))
    assert asked == []

    others, asked = rows_of(other, "answers")
    assert torch.equal(others.of(torch.tensor([70, 3])), answers(other))
    assert asked == BLOCKS
