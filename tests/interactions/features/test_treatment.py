import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.interactions.features.node_features import NodeFeatures
from assay.interactions.features.treatment import MISSING, TreatedFeatures

MASK = np.array([True, False, True, False, True])
X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def treated(missing, mask=MASK, seed=0):
    torch.manual_seed(0)
    return TreatedFeatures(NodeFeatures.of(X, mask), 4, missing, seed)


@pytest.mark.parametrize("missing", MISSING)
def test_known_nodes_are_their_projection_whatever_the_treatment(missing):
    module = treated(missing)

    expected = module.proj(torch.from_numpy(X)).relu()

    torch.testing.assert_close(module()[MASK], expected[MASK])
    assert (module() >= 0).all()


def test_the_fallback_is_selected_by_the_mask_exactly():
    module = treated("fallback")
    mask = torch.from_numpy(MASK)[:, None].float()

    h = mask * module.proj(module.known.x_VF) + (1 - mask) * module.fallback

    assert torch.equal(module(), h.relu())


def test_gradients_reach_the_fallback_through_unknown_nodes_alone():
    module = treated("fallback")
    with torch.no_grad():
        module.fallback.abs_()

    grad = lambda rows: torch.autograd.grad(module()[rows].sum(), module.fallback)[0]  # noqa: E731

    assert torch.equal(grad(MASK), torch.zeros(1, 4))
    assert torch.equal(grad(~MASK), torch.full((1, 4), 2.0))


def test_the_fallback_learns_nothing_where_all_are_known():
    module = treated("fallback", mask=None)

    (gradient,) = torch.autograd.grad(module().sum(), module.fallback)

    assert torch.equal(gradient, torch.zeros(1, 4))


def test_unknown_nodes_are_zeros_the_mean_or_a_random_row_before_the_projection():
    zeros, mean, random = (treated(name).known.x_VF[~MASK] for name in ("zeros", "mean", "random"))

    assert torch.equal(zeros, torch.zeros(2, 3))
    torch.testing.assert_close(mean, torch.from_numpy(X[MASK]).mean(0).expand(2, 3))
    assert not torch.allclose(random[0], random[1])
    assert torch.equal(random, treated("random").known.x_VF[~MASK])
    assert not torch.equal(random, treated("random", seed=1).known.x_VF[~MASK])


def test_random_rows_deviate_as_the_known_ones_do_feature_by_feature():
    """Of a bit that a hundredth of the known nodes has, one that all have, and one of half."""
    mask = np.arange(40_000) < 20_000
    x = np.zeros((40_000, 3), np.float32)
    x[:200, 0], x[:20_000, 1], x[:10_000, 2] = 1, 1, 1

    random = TreatedFeatures(NodeFeatures.of(x, mask), 4, "random", 0).known.x_VF[~mask]

    torch.testing.assert_close(
        random.std(0), torch.tensor([0.0995, 0.0, 0.5]), rtol=0.03, atol=1e-6
    )
    torch.testing.assert_close(random.mean(0), torch.zeros(3), rtol=0, atol=0.02)


def test_one_row_for_all_or_one_for_each():
    one, each = treated("fallback"), treated("per_node")
    with torch.no_grad():
        one.fallback.fill_(1.0)
        each.of_node.weight.copy_(torch.tensor([[1.0] * 4, [2.0] * 4]))

    assert one()[~MASK].tolist() == [[1.0] * 4] * 2
    assert each()[~MASK].tolist() == [[1.0] * 4, [2.0] * 4]


@pytest.mark.parametrize("missing", ["mean", "random"])
def test_nothing_to_be_like_is_said(missing):
    with pytest.raises(DataError, match="no node has any"):
        treated(missing, mask=np.zeros(5, bool))


@pytest.mark.parametrize("missing", MISSING)
def test_some_nodes_have_what_they_have_among_all(missing):
    module, some = treated(missing), torch.tensor([1, 3, 4])

    torch.testing.assert_close(module(some), module()[some])
