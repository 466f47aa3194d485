import copy

import numpy as np
import pytest
import torch

from assay.interactions.features.node_features import NodeFeatures
from assay.interactions.features.treatment import TreatedFeatures
from assay.interactions.messages import Messages
from assay.interactions.predictor import HadamardDecoder, LinkPredictor, Nodes
from assay.interactions.settings import DecoderSettings, encoder
from tests.interactions.graphs import graph, random_graph, renumbered

ROW = torch.tensor([0])
PAIRS = torch.tensor([[0, 5], [3, 4], [7, 2]])


def predictor(of, width=6, features=None, ids=6, name="gcn", decoder=None, size=None):
    torch.manual_seed(0)
    nodes = Nodes(of.n_nodes, features, ids)
    cls = encoder(name)
    given = {"size": size} if size else {"width": width, "depth": 2}
    network = cls(cls.Settings.model_validate(given), nodes.columns)
    decoder = HadamardDecoder(network.settings.width, decoder or DecoderSettings())
    return LinkPredictor(nodes, network, decoder, Messages.of(of))


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_pair_scores_the_same_in_both_orders():
    model = predictor(random_graph(8, 0.4))

    torch.testing.assert_close(model(PAIRS), model(PAIRS.flip(1)))


def test_a_decoder_of_one_layer_is_a_weighted_product():
    decoder = HadamardDecoder(4, DecoderSettings(layers=1))
    layer, h_VD = decoder.last, torch.randn(3, 4)

    expected = (h_VD[0] * h_VD[2] * layer.weight[0]).sum() + layer.bias[0]

    torch.testing.assert_close(decoder(h_VD, torch.tensor([[0, 2]]), ROW)[0], expected)


def test_a_deep_decoder_adds_its_input_where_it_may():
    decoder = HadamardDecoder(4, DecoderSettings(layers=3, residual=True))
    h_VD = torch.randn(3, 4)
    x = h_VD[0] * h_VD[2]
    for layer in decoder.hidden:
        x = x + layer(x).relu()

    found = decoder(h_VD, torch.tensor([[0, 2]]), ROW)

    torch.testing.assert_close(found, decoder.last(x).squeeze(-1).expand(1))


def test_renumbering_the_nodes_changes_no_score():
    of, order = random_graph(8, 0.4), torch.randperm(8, generator=torch.Generator().manual_seed(1))
    here, there = predictor(of), predictor(renumbered(of, order))
    there.load_state_dict(here.state_dict())
    with torch.no_grad():
        there.nodes.ids.weight.copy_(here.nodes.ids.weight[order])
    place = torch.argsort(order)

    torch.testing.assert_close(there(place[PAIRS]), here(PAIRS), rtol=1e-5, atol=1e-6)


def test_a_score_does_not_depend_on_what_else_is_scored():
    model = predictor(random_graph(8, 0.4))

    torch.testing.assert_close(model(PAIRS)[1:2], model(PAIRS[1:2]), rtol=1e-5, atol=1e-6)


def test_the_score_of_a_hidden_edge_does_not_know_it():
    joined, apart = graph(8, (0, 5), (5, 6)), graph(8, (5, 6))

    hidden = predictor(joined)(PAIRS[:1], PAIRS[:1])

    torch.testing.assert_close(hidden, predictor(apart)(PAIRS[:1]))


def test_learned_rows_can_begin_orthogonal():
    rows = Nodes(20, None, 6, orthogonal=True).ids.weight

    torch.testing.assert_close(rows.t() @ rows, torch.eye(6))


@pytest.mark.parametrize(("name", "published"), [("gcn", 1_289_985), ("sage", 1_421_057)])
def test_the_parameters_of_the_official_example(name, published):
    """Of 4,267 rows of 256, two layers and the decoder."""
    model = predictor(graph(4267, (0, 1)), ids=256, name=name, size="l")

    assert count(model) == published


@pytest.mark.parametrize(
    ("name", "plain", "with_ids"),
    [
        ("gcn", 139_777, 281_280),
        ("sage", 172_545, 289_472),
        ("gat", 140_289, 281_280),
        ("graph_transformer", 238_849, 305_856),
    ],
)
def test_the_parameters_of_the_study_of_fallbacks(name, plain, with_ids):
    """768 features at width 128, decoder 128 → 64 → 1; ids of 64 also widen the first layer."""
    of, mask = graph(4267, (0, 1)), np.arange(4267) > 0
    features = NodeFeatures.of(np.zeros((4267, 768)), mask)
    decoder = DecoderSettings(width=64)

    def parameters(missing, ids):
        treated = TreatedFeatures(features, 128, missing, 0)
        return count(predictor(of, 128, treated, ids, name, decoder))

    assert parameters("zeros", 0) == plain
    assert parameters("fallback", 0) == plain + 128
    assert parameters("zeros", 64) == plain + with_ids
    assert with_ids >= 4267 * 64 == 273_088


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_a_copy_of_the_model_shares_the_graph(dense):
    """Of a sparse matrix PyTorch cannot make a copy, and the average of weights is one."""
    of = random_graph(8, 0.4)
    model = predictor(of)
    model.messages = Messages(of, dense)

    copied = copy.deepcopy(model)

    assert copied.messages is model.messages
    assert copied.nodes.ids.weight is not model.nodes.ids.weight
    torch.testing.assert_close(copied(PAIRS), model(PAIRS))


def test_dropout_depends_on_the_pair_and_not_on_what_else_is_scored():
    settings = DecoderSettings(dropout=0.5)
    model = predictor(random_graph(8, 0.4), decoder=settings).train()
    torch.manual_seed(3)
    whole = model(PAIRS)
    part = model(PAIRS[1:].flip(1))
    torch.manual_seed(4)

    torch.testing.assert_close(part, whole[1:])
    assert not torch.allclose(model(PAIRS), whole)
