import math

import torch

from assay.pathways.flow import FlowPrior


def made() -> FlowPrior:
    torch.manual_seed(0)
    flow = FlowPrior(3, entries=4, condition=2)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return flow


def test_a_new_flow_is_a_standard_normal():
    z = torch.randn(5, 4)
    density = FlowPrior(2, 4, 2).log_density(z, torch.randn(5, 2))

    torch.testing.assert_close(density, -0.5 * (z**2 + math.log(2 * math.pi)).sum(1))


def test_the_density_is_that_of_the_normal_by_the_volume_that_the_flow_makes():
    flow, noise, condition = made(), torch.randn(6, 4), torch.randn(6, 2)

    z = flow(noise, condition)

    normal = -0.5 * (noise**2 + math.log(2 * math.pi)).sum(1)
    jacobians = [
        torch.autograd.functional.jacobian(lambda x, c=c: flow(x[None], c[None])[0], x)
        for x, c in zip(noise, condition, strict=True)
    ]
    volume = torch.stack([torch.linalg.slogdet(one)[1] for one in jacobians])
    torch.testing.assert_close(
        flow.log_density(z, condition), normal - volume, rtol=1e-4, atol=1e-4
    )


def test_the_environment_moves_the_density():
    flow, z = made(), torch.randn(1, 4)

    one, other = (flow.log_density(z, torch.full((1, 2), value)) for value in (0.0, 2.0))

    assert (one - other).abs() > 1e-3
