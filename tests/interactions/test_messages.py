import pytest
import torch

from assay.interactions.messages import Messages
from tests.interactions.graphs import adjacency, graph, random_graph

EDGES = ((0, 1), (0, 2), (1, 2), (3, 4))


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_sums_and_means_by_hand(dense):
    x = torch.tensor([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0]])
    seen = Messages(graph(6, *EDGES), dense).without(None)

    assert seen.sums(x)[:, 0].tolist() == [6, 5, 3, 16, 8, 0]
    assert seen.means(x)[:, 0].tolist() == [3, 2.5, 1.5, 16, 8, 0]


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_a_normalised_sum_by_hand(dense):
    """Degrees with the node itself are 2, 2 and 1: 1/√(2·2) between the joined, 1 for the lone."""
    seen = Messages(graph(3, (0, 1)), dense).without(None)

    torch.testing.assert_close(
        seen.normalised(torch.eye(3)),
        torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
    )


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_hidden_edges_are_gone_in_every_form(dense):
    messages = Messages(graph(5, *EDGES), dense)

    seen = messages.without(torch.tensor([[2, 0], [3, 4], [2, 0]]))

    assert sorted(map(tuple, seen.edges().t().tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert seen.degrees_V.tolist() == [1, 2, 1, 0, 0]
    torch.testing.assert_close(seen.sums(torch.eye(5)), adjacency(graph(5, (0, 1), (1, 2))).float())
    if dense:
        assert seen.neighbours().nonzero().tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
        assert int(messages.without(None).neighbours().sum()) == 8, "the graph itself is untouched"


@pytest.mark.parametrize(("share", "dense"), [(0.3, True), (0.005, False)])
def test_the_density_decides(share, dense):
    assert Messages.of(random_graph(200, share)).dense is dense


def test_a_graph_too_large_for_a_dense_matrix_is_sparse(monkeypatch):
    monkeypatch.setattr("assay.interactions.messages.MOST_DENSE_NODES", 100)

    assert not Messages.of(random_graph(101, 0.5)).dense


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_under_autocast_sums_stay_close_and_gradients_pass(dense):
    of = random_graph(40, 0.3)
    seen = Messages(of, dense).without(of.edges_E2[:9])
    x = torch.randn(40, 3, requires_grad=True)

    with torch.autocast("cpu", torch.bfloat16):
        rough = seen.sums(x)
    (gradient,) = torch.autograd.grad(rough.float().sum(), x)

    torch.testing.assert_close(rough.float(), seen.sums(x), rtol=0.05, atol=0.1)
    torch.testing.assert_close(gradient, seen.degrees_V[:, None].expand(40, 3), rtol=0.02, atol=0)
