import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from assay.cell import TrainingSettings
from assay.errors import CheckpointError
from assay.training.optimizer import ModelOptimizer

MUON = TrainingSettings(optimizer="muon", learning_rate=0.01, weight_decay=0.0)
ADAMW = TrainingSettings(learning_rate=0.01, weight_decay=0.1)


class Network(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(20, width)
        self.inner = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self):
        return self.head(self.norm(self.inner(self.table.weight))).square().sum()


def stepped(settings, steps=1, network=None):
    network = network or Network()
    optimizer = ModelOptimizer(network, settings)
    for _ in range(steps):
        network.zero_grad()
        network().backward()
        optimizer.step(settings.learning_rate)
    return network, optimizer


def test_muon_takes_the_matrices_within_and_adamw_the_rest():
    _, optimizer = stepped(MUON)

    names = {name.split(".", 1)[1] for name in optimizer.tensors() if "momentum" in name}
    others = {name.split(".", 1)[1] for name in optimizer.tensors() if "exp_avg" in name}

    assert names == {"inner.weight"}
    assert others == {
        "table.weight", "inner.bias", "norm.weight", "norm.bias", "head.weight", "head.bias",
    }  # fmt: skip


def test_an_update_of_muon_is_nearly_orthogonal_and_of_the_size_of_adamws():
    """Liu et al.: a root mean square of 0.2 learning rates, whatever the shape."""
    before = Network().inner.weight.detach().clone()
    network, _ = stepped(MUON)

    update = (network.inner.weight.detach() - before) / MUON.learning_rate
    singular = torch.linalg.svdvals(update / (0.2 * 24**0.5))

    assert float(update.square().mean().sqrt()) == pytest.approx(0.2, rel=0.25)
    assert 0.3 < float(singular.median()) < 1.3


def test_muon_moves_against_the_gradient():
    network = Network()
    network().backward()
    gradient = network.inner.weight.grad.clone()
    before = network.inner.weight.detach().clone()

    stepped(MUON, network=network)

    change = network.inner.weight.detach() - before
    assert float(cosine_similarity(change.flatten(), gradient.flatten(), dim=0)) < -0.3


def test_only_matrices_decay():
    _, optimizer = stepped(ADAMW)

    decay = {
        optimizer._names[p]: group["weight_decay"]
        for part in optimizer._parts
        for group in part.param_groups
        for p in group["params"]
    }

    assert {name for name, value in decay.items() if value} == {
        "table.weight", "inner.weight", "head.weight",
    }  # fmt: skip


@pytest.mark.parametrize("settings", [ADAMW, MUON], ids=["adamw", "muon"])
def test_a_restored_state_carries_on_to_the_last_bit(settings):
    whole, _ = stepped(settings, steps=6)
    half, optimizer = stepped(settings, steps=3)
    again = Network()
    again.load_state_dict(half.state_dict())

    other = ModelOptimizer(again, settings)
    other.restore({name: tensor.clone() for name, tensor in optimizer.tensors().items()})
    for _ in range(3):
        again.zero_grad()
        again().backward()
        other.step(settings.learning_rate)

    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_what_does_not_learn_is_left_alone():
    network = Network()
    network.table.weight.requires_grad_(False)
    before = network.table.weight.clone()

    _, optimizer = stepped(ADAMW, network=network)

    assert torch.equal(network.table.weight, before)
    assert not any("table" in name for name in optimizer.tensors())


def test_another_model_is_refused():
    _, optimizer = stepped(MUON)

    with pytest.raises(CheckpointError, match="another shape than the model"):
        ModelOptimizer(Network(32), MUON).restore(optimizer.tensors())
