import pytest
import torch

from assay.interactions.catalog import ENCODERS
from assay.interactions.features.edges import edge_attributes
from assay.interactions.messages import Messages
from assay.interactions.settings import encoder
from tests.interactions.graphs import adjacency, graph, random_graph, renumbered

NAMES = sorted(ENCODERS)
INPUTS = 5


def made(name, of, dense=True, **settings):
    torch.manual_seed(0)
    cls = encoder(name)
    chosen = cls.Settings.model_validate({"width": 6, "depth": 2, **settings})
    model = cls(chosen, INPUTS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)  # biases, too
    return Over(model.eval(), Messages(of, dense))


class Over:
    """An encoder over a graph."""

    def __init__(self, model, messages):
        self.model, self.messages = model, messages
        self.layers, self.join = model.layers, model.join
        self.state_dict = model.state_dict

    def __call__(self, x, hidden=None):
        return self.model(x, self.messages.without(hidden), torch.arange(len(x)))

    def train(self):
        self.model.train()
        return self


def features(of):
    return torch.randn(of.n_nodes, INPUTS, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_that_of_pyg_over_a_list_of_edges(name, dense):
    """Node 11 has no neighbour."""
    of = random_graph(11, 0.4)
    of = graph(12, *map(tuple, of.edges_E2.tolist()))
    model, x = made(name, of, dense, depth=1), features(of).requires_grad_()
    (layer,) = model.layers

    ours, theirs = model(x), layer.conv(x, model.messages.edges_2M)
    weights = torch.randn(ours.shape)
    gradients = [torch.autograd.grad((h * weights).sum(), x)[0] for h in (ours, theirs)]

    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", ["gat", "graph_transformer"])
def test_a_layer_told_of_edges_is_that_of_pyg(name, dense):
    """Node 11 has no neighbour."""
    of = graph(12, *map(tuple, random_graph(11, 0.4).edges_E2.tolist()))
    names = ["common_neighbours", "resource_allocation"]
    model = made(name, of, dense, depth=1, edges=names)
    told = edge_attributes(of, names)
    model.messages, sparse = Messages(of, dense, told), Messages(of, False, told)
    x, (layer,) = features(of).requires_grad_(), model.layers

    ours = model(x)
    theirs = layer.conv(x, sparse.edges_2M, sparse.without(None).attributes())
    weights, of_edges = torch.randn(ours.shape), layer.conv.lin_edge.weight
    gradients = [torch.autograd.grad((h * weights).sum(), (x, of_edges)) for h in (ours, theirs)]

    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert gradients[0][1].abs().max() > 1e-3
    model.messages = Messages(of, dense, torch.zeros_like(told))
    assert not torch.allclose(model(x), ours, atol=1e-3), "what is told has an effect"


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", NAMES)
def test_hidden_edges_are_as_if_they_were_not_there(name, dense):
    of = random_graph(12, 0.4)
    hidden = of.edges_E2[::3]
    left = graph(
        12, *map(tuple, of.edges_E2[[k % 3 > 0 for k in range(len(of.edges_E2))]].tolist())
    )
    x = features(of)

    seen = made(name, of, dense)(x, hidden.flip(1))

    torch.testing.assert_close(seen, made(name, left, dense)(x), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(seen, made(name, of, dense)(x))


@pytest.mark.parametrize("name", NAMES)
def test_renumbering_the_nodes_renumbers_the_outputs(name):
    of = random_graph(12, 0.3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    x = features(of)

    here, there = made(name, of)(x), made(name, renumbered(of, order))(x[order])

    torch.testing.assert_close(there, here[order], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_farther_than_the_layers_reach_does_not_matter(name):
    path = graph(5, (0, 1), (1, 2), (2, 3), (3, 4))
    x = features(path)
    changed = x.clone()
    changed[3] += 1

    moved = (made(name, path)(x) - made(name, path)(changed)).abs().amax(1) > 1e-6

    assert moved.tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_is_no_part_of_a_checkpoint(name):
    assert all(key.startswith("layers.") for key in made(name, random_graph(5, 0.5)).state_dict())


def test_two_graph_convolutions_written_out_node_by_node():
    of = random_graph(9, 0.3)
    model, x = made("gcn", of), features(of)
    matrix = adjacency(of) + torch.eye(9)
    scale = matrix.sum(0).rsqrt()
    propagation = scale[:, None] * matrix * scale
    first, second = (layer.conv for layer in model.layers)

    h = (propagation @ x.double() @ first.lin.weight.double().t() + first.bias).clamp(min=0)
    h = propagation @ h @ second.lin.weight.double().t() + second.bias

    torch.testing.assert_close(model(x).double(), h.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("jumping", ["max", "cat"])
def test_jumping_knowledge_joins_what_the_layers_found(jumping):
    of = random_graph(8, 0.4)
    model, x = made("gcn", of, jumping=jumping), features(of)
    seen = model.messages.without(None)
    first = model.layers[0](x, seen)
    second = model.layers[1](first.relu(), seen)

    expected = torch.maximum(first, second)
    if jumping == "cat":
        expected = model.join(torch.cat([first, second], dim=1))

    torch.testing.assert_close(model(x), expected)


def test_a_residual_adds_the_input_where_it_is_as_wide():
    of = random_graph(8, 0.4)
    model, x = made("sage", of, residual=True), features(of)
    seen = model.messages.without(None)
    first = model.layers[0](x, seen)

    torch.testing.assert_close(model(x), first.relu() + model.layers[1](first.relu(), seen))


@pytest.mark.parametrize("name", NAMES)
def test_an_initial_residual_mixes_the_first_features_into_every_layer(name):
    of = random_graph(8, 0.4)
    model, x = made(name, of, initial_residual=0.25), features(of)
    seen, first = model.messages.without(None), model.model.first(x)
    one = 0.75 * model.layers[0](x, seen) + 0.25 * first

    expected = 0.75 * model.layers[1](one.relu(), seen) + 0.25 * first

    torch.testing.assert_close(model(x), expected)


def test_first_features_of_the_layers_width_are_taken_as_they_are():
    of = random_graph(8, 0.4)
    model, x = made("gcn", of, width=INPUTS, depth=1, initial_residual=0.5), features(of)

    assert model.model.first is None
    layer = model.layers[0](x, model.messages.without(None))
    torch.testing.assert_close(model(x), (layer + x) / 2)


@pytest.mark.parametrize("name", NAMES)
def test_matrices_can_begin_orthogonal(name):
    torch.manual_seed(0)
    cls = encoder(name)
    model = cls(cls.Settings(width=6, depth=2, init="orthogonal", initial_residual=0.1), INPUTS)

    matrices = [(n, p) for n, p in model.named_parameters() if p.dim() == 2]
    assert len(matrices) >= 3
    for where, weight in matrices:
        short = weight if weight.shape[0] <= weight.shape[1] else weight.t()
        torch.testing.assert_close(short @ short.t(), torch.eye(len(short)), msg=where)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_off_is_in_no_cell_and_draws_nothing(name):
    cls = encoder(name)
    without_edges = {"edges": []} if "edges" in cls.Settings.model_fields else {}
    plain, off = (
        cls.Settings.model_validate({"width": 6, "depth": 2, **given})
        for given in ({}, {"initial_residual": 0.0, "init": "default"} | without_edges)
    )

    told = plain.model_dump(mode="json")
    assert told == off.model_dump(mode="json")
    assert not {"initial_residual", "init", "edges"} & set(told)
    assert plain.model_copy(update={"init": "orthogonal"}).model_dump()["init"] == "orthogonal"
    weights = []
    for settings in (plain, off):
        torch.manual_seed(0)
        weights.append(cls(settings, INPUTS).state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_dropout_thins_between_layers_in_training_alone():
    of = random_graph(8, 0.4)
    model, x = made("gcn", of, dropout=0.5), features(of)
    whole = model(x)

    assert torch.equal(whole, model(x))
    assert not torch.allclose(whole, model.train()(x))
