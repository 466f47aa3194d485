"""Models of which a part never learns."""

import copy

import pytest
import torch
from torch import nn

from assay.training.fixed import PartlyFixed


class Adapted(PartlyFixed):
    """A base that never learns, buffers included, and an adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.BatchNorm1d(3).requires_grad_(False)
        self.adapter = nn.Linear(3, 3)

    def is_fixed(self, name: str) -> bool:
        return name.startswith("base.")


def test_what_never_learns_is_no_parameter_and_in_no_state():
    model = Adapted()

    assert {name for name, _ in model.named_parameters()} == {"adapter.weight", "adapter.bias"}
    assert set(model.state_dict()) == {"adapter.weight", "adapter.bias"}
    inside = {name for name, _ in nn.Sequential(model).named_parameters()}
    assert "0.base.weight" in inside, "only the model itself leaves it out"


def test_a_state_without_it_is_whole_and_one_without_the_rest_is_not():
    model, other = Adapted(), Adapted()

    model.load_state_dict(other.state_dict())

    assert torch.equal(model.adapter.weight, other.adapter.weight)
    with pytest.raises(RuntimeError, match=r"adapter\.bias"):
        model.load_state_dict({"adapter.weight": other.adapter.weight})


def test_copies_share_it_and_have_a_rest_of_their_own():
    model = Adapted()

    twin = copy.deepcopy(model)

    assert twin.base.weight is model.base.weight
    assert twin.adapter.weight is not model.adapter.weight
    assert torch.equal(twin.adapter.weight, model.adapter.weight)
    assert set(twin.state_dict()) == set(model.state_dict())
