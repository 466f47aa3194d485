import pytest
import torch

from assay.cell import Budget
from assay.training.meter import FlopTable, Meter, measure_flops, peak_memory_bytes


def test_flops_of_a_linear_layer_are_counted_exactly():
    layer, x = torch.nn.Linear(7, 5, bias=False), torch.randn(3, 7, requires_grad=True)

    _, forward = measure_flops(lambda: layer(x))
    _, both = measure_flops(lambda: layer(x).sum().backward())

    assert forward == 2 * 3 * 7 * 5
    assert both == 3 * forward


def test_attention_is_counted_with_and_without_gradients():
    q = torch.randn(2, 4, 6, 8)
    bias = torch.randn(2, 4, 6, 6)
    attend = torch.nn.functional.scaled_dot_product_attention

    with torch.no_grad():
        _, without = measure_flops(lambda: attend(q, q, q, attn_mask=bias))
    q.requires_grad_()
    _, with_gradient = measure_flops(lambda: attend(q, q, q, attn_mask=bias))

    assert without == with_gradient == 2 * (2 * 2 * 4 * 6 * 6 * 8)


def test_each_workload_is_measured_once():
    table, layer = FlopTable(), torch.nn.Linear(4, 4, bias=False)
    calls = []

    def compute():
        calls.append(1)
        return layer(torch.ones(2, 4))

    assert table.run((2, 4), compute)[1] == table.run((2, 4), compute)[1] == 2 * 2 * 4 * 4
    assert len(calls) == 2
    assert list(table.flops) == ["(2, 4)"]


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        ({"steps": 20}, 0.5),
        ({"samples": 640}, 1.0),
        ({"flops": 1e6}, 0.25),
        ({"seconds": 30.0}, 0.1),
    ],
)
def test_a_budget_is_spent_in_its_own_unit(budget, spent):
    meter = Meter(step=10, samples=640, flops=2.5e5, seconds=3.0)

    assert meter.spent(Budget(**budget)) == pytest.approx(spent)


def test_peak_memory_sees_a_large_tensor():
    held = torch.ones(50_000_000 // 4)

    assert peak_memory_bytes(torch.device("cpu")) > held.numel() * 4
