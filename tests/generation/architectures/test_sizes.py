"""At equal size architectures cost the same, or have as many parameters, within a tenth."""

from functools import cache
from itertools import pairwise

import pytest
import torch

from assay.config import validate
from assay.errors import ConfigError
from assay.generation.catalog import ARCHITECTURES
from assay.generation.denoiser import Atoms, Denoiser, Interface
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from assay.interactions.encoders.gcn import GCNSettings
from assay.training.meter import measure_flops

SIZES = ("xs", "s", "m", "l", "xl")
MOLECULES, ATOMS = 64, 18


@cache
def made(name: str, size: str, device: str = "meta") -> Denoiser:
    """For molecules of five elements, without storage for its parameters."""
    kind = architecture(name)
    with torch.device(device):
        return kind(kind.Settings(size=size), Interface(FreeSpace(5)))


def flops_of_a_training_step(network: Denoiser, device: str = "meta") -> float:
    """Without an earlier prediction; on the meta device shapes are worked out, and no numbers."""
    with torch.device(device):
        types_BN = torch.zeros(MOLECULES, ATOMS, dtype=torch.int64)
        atoms = Atoms(torch.zeros(MOLECULES, ATOMS, 3), types_BN, types_BN == 0)
        time_B = torch.zeros(MOLECULES)

    def step() -> None:
        prediction = network(atoms, time_B, None)
        (prediction.positions_BN3.square().sum() + prediction.type_logits_BNK.sum()).backward()

    return measure_flops(step)[1]


def spread(values: list[float]) -> float:
    return max(values) / min(values)


@pytest.mark.parametrize("size", SIZES)
def test_at_equal_size_a_training_step_takes_the_same_flops(size):
    assert spread([flops_of_a_training_step(made(name, size)) for name in ARCHITECTURES]) < 1.1


@pytest.mark.parametrize("size", SIZES)
def test_at_a_size_of_equal_parameters_there_are_as_many_parameters(size):
    networks = [made(name, f"{size}-parameters") for name in ARCHITECTURES]

    assert spread([sum(p.numel() for p in each.parameters()) for each in networks]) < 1.1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_larger_size_is_larger(name):
    flops = [flops_of_a_training_step(made(name, size)) for size in SIZES[:3]]
    parameters = [
        sum(p.numel() for p in made(name, f"{size}-parameters").parameters()) for size in SIZES
    ]

    assert flops[0] < flops[1] / 2 < flops[2] / 4
    assert all(b > 1.5 * a for a, b in pairwise(parameters))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_flops_without_numbers_are_those_with_them(name):
    assert flops_of_a_training_step(made(name, "xs")) == flops_of_a_training_step(
        made(name, "xs", "cpu"), "cpu"
    )


def test_the_gnn_of_size_l_has_edms_width_and_depth():
    settings = architecture("gnn").Settings(size="l")

    assert (settings.width, settings.depth) == (256, 9)


def test_a_family_without_sizes_of_equal_parameters_says_so():
    with pytest.raises(ConfigError, match="size 's-parameters': there is xs, s, m, l, xl"):
        validate(GCNSettings, {"size": "s-parameters"}, "x.yaml")
