import torch

from assay.interactions.encoders.gcn import GCN, GCNSettings
from assay.interactions.predictor import HadamardDecoder, LinkPredictor
from tests.interactions.graphs import random_graph, renumbered

PAIRS = torch.tensor([[0, 5], [3, 4], [7, 2]])


def predictor(of) -> LinkPredictor:
    torch.manual_seed(0)
    encoder = GCN(GCNSettings(width=6, depth=2), of)
    return LinkPredictor(of.n_nodes, 6, encoder, decoder_layers=2)


def test_a_pair_scores_the_same_in_both_orders():
    model = predictor(random_graph(8, 0.4))

    torch.testing.assert_close(model(PAIRS), model(PAIRS.flip(1)))


def test_a_decoder_of_one_layer_is_a_weighted_product():
    decoder = HadamardDecoder(4, layers=1)
    (layer,) = decoder.network
    h_VD = torch.randn(3, 4)

    expected = (h_VD[0] * h_VD[2] * layer.weight[0]).sum() + layer.bias[0]

    torch.testing.assert_close(decoder(h_VD, torch.tensor([[0, 2]]))[0], expected)


def test_renumbering_the_nodes_changes_no_score():
    of, order = random_graph(8, 0.4), torch.randperm(8, generator=torch.Generator().manual_seed(1))
    here, there = predictor(of), predictor(renumbered(of, order))
    there.load_state_dict(here.state_dict())
    with torch.no_grad():
        there.nodes.weight.copy_(here.nodes.weight[order])
    place = torch.argsort(order)

    torch.testing.assert_close(there(place[PAIRS]), here(PAIRS), rtol=1e-5, atol=1e-6)


def test_a_score_does_not_depend_on_what_else_is_scored():
    model = predictor(random_graph(8, 0.4))

    torch.testing.assert_close(model(PAIRS)[1:2], model(PAIRS[1:2]), rtol=1e-5, atol=1e-6)


def test_the_parameters_at_the_width_of_the_official_example():
    """Without the table of nodes: two layers and the decoder, 2(256² + 256) + 256² + 256 + 257."""
    of = random_graph(10, 0.5)
    settings = GCNSettings(size="l")
    model = LinkPredictor(10, settings.width, GCN(settings, of), decoder_layers=2)

    assert sum(p.numel() for p in model.parameters()) - 10 * 256 == 1_289_985 - 4267 * 256
