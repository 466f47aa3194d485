"""The same weights as TorchJD's implementations of the same papers."""

import pytest
import torch

from assay.training.balancing.pcgrad import surgery
from tests.training.balancing.test_balance import balance, linear

pytest.importorskip("torchjd")

COURSE = torch.rand(12, 3, generator=torch.Generator().manual_seed(0)) + 0.1


def ours(method, **given):
    made, theta = (
        balance(method, dict.fromkeys("abc", 1.0), **given),
        torch.nn.Parameter(torch.zeros(2)),
    )
    rows = []
    for step, losses in enumerate(COURSE):
        values = dict(zip("abc", losses.tolist(), strict=True))
        rows.append(list(made(linear(theta, values), [theta], step)[1].values()))
    return torch.tensor(rows)


def weights_of(scalarizer, losses):
    """The derivatives by the losses are their weights."""
    values = losses.clone().requires_grad_()
    return torch.autograd.grad(scalarizer(values), values)[0]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_pcgrad(count):
    from torchjd.aggregation import PCGradWeighting

    for seed in range(5):
        rows = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
        gram = rows @ rows.T
        torch.manual_seed(seed)
        theirs = PCGradWeighting()(gram)
        torch.manual_seed(seed)
        order = torch.stack([torch.randperm(count) for _ in range(count)])

        mine = surgery(gram, order)
        torch.testing.assert_close(mine, theirs)
        assert mine.min() >= 1


def test_dwa():
    from torchjd.scalarization import DWA

    reference, rows = DWA(temperature=2.0), []
    for step, losses in enumerate(COURSE):
        if step and step % 3 == 0:
            reference.step()
        rows.append(weights_of(reference, losses))

    torch.testing.assert_close(ours("dwa", window=3), torch.stack(rows))


def test_famo_told_of_the_next_batch():
    from torchjd.scalarization import FAMO

    reference, rows = FAMO(3), []
    for step, losses in enumerate(COURSE):
        if step:
            reference.update(losses)
        rows.append(weights_of(reference, losses))

    torch.testing.assert_close(ours("famo"), 3 * torch.stack(rows), rtol=1e-4, atol=1e-5)


def test_uncertainty_is_twice_theirs():
    from torchjd.scalarization import UW

    made, reference = balance("uncertainty", dict.fromkeys("abc", 1.0)), UW(3)
    with torch.no_grad():
        for each in (made.log_variances_K, reference.log_var):
            each.copy_(torch.tensor([0.3, -1.0, 2.0]))
    values = dict(zip("abc", COURSE[0], strict=True))

    assert made(values, [], 0)[0].item() == pytest.approx(2 * reference(COURSE[0]).item())
