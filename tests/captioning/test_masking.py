import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from assay.captioning.encoder import EncoderSettings, GraphEncoder
from assay.captioning.graphs import ATOM_FEATURES, Graphs
from assay.captioning.masking import MaskedAttributes, MaskingSettings, masked_atoms
from assay.config import validate
from assay.errors import ConfigError
from tests.captioning.test_graphs import SAMPLE

IDS = torch.arange(len(SAMPLE)) + 100


def batch(records=None):
    chosen = np.arange(len(SAMPLE)) if records is None else np.array(records)
    return Graphs.of(SAMPLE).batch(chosen), IDS[torch.from_numpy(chosen)]


def made(**settings):
    torch.manual_seed(0)
    encoder = GraphEncoder(EncoderSettings.model_validate({"size": "xs"})).eval()
    chosen = MaskingSettings.model_validate(settings)
    return encoder, MaskedAttributes(encoder.settings.width, chosen)


def test_so_many_atoms_are_hidden_and_at_least_one_a_molecule():
    graphs = Graphs.of(["C" * 40, "O"]).batch(np.repeat([0, 1], 200))
    hidden = masked_atoms(graphs, torch.arange(400), 0.15, seed=0, step=0)

    assert float(hidden[graphs.molecule_N < 200].float().mean()) == pytest.approx(0.15, abs=0.01)
    assert hidden[graphs.molecule_N >= 200].all()


def test_seed_step_and_record_decide_what_is_hidden():
    graphs, ids = batch()
    hidden = masked_atoms(graphs, ids, 0.3, seed=1, step=2)
    some, some_ids = batch([4, 1])
    parts = [hidden[graphs.molecule_N == k] for k in (4, 1)]

    assert torch.equal(masked_atoms(some, some_ids, 0.3, seed=1, step=2), torch.cat(parts))
    assert not torch.equal(masked_atoms(graphs, ids, 0.3, seed=1, step=3), hidden)
    assert not torch.equal(masked_atoms(graphs, ids, 0.3, seed=2, step=2), hidden)


def test_the_loss_written_out_molecule_by_molecule():
    encoder, model = made(features=["element", "charge"])
    graphs, ids = batch()
    hidden = masked_atoms(graphs, ids, 0.15, seed=0, step=5)
    x = torch.where(hidden[:, None], model.hidden, encoder.atoms(graphs.atoms_NA))
    h = encoder(graphs, ids, x).atoms_ND.detach()
    expected = 0.0
    for name, column in (("element", 0), ("charge", 2)):
        for k in range(len(graphs)):
            atoms = hidden & (graphs.molecule_N == k)
            truth = graphs.atoms_NA[atoms, column].long()
            each = cross_entropy(model.heads[name](h[atoms]), truth)
            expected += float(each.detach()) / len(graphs)

    loss = model(encoder, graphs, ids, seed=0, step=5)

    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert set(loss.parts) == {"element", "charge"}


def test_the_loss_of_a_batch_is_the_mean_over_its_parts():
    encoder, model = made()
    whole = model(encoder, *batch([0, 1, 2, 3]), seed=0, step=1).total
    halves = [model(encoder, *batch(part), seed=0, step=1).total for part in ([0, 1], [2, 3])]

    torch.testing.assert_close(whole, (halves[0] + halves[1]) / 2)


def test_what_is_hidden_is_not_seen():
    """Hiding all atoms of methane and water leaves nothing to tell them apart by."""
    encoder, model = made()
    graphs = Graphs.of(["C", "O"]).batch(np.arange(2))
    h = encoder(graphs, torch.arange(2), model.hidden.expand(2, -1)).atoms_ND

    assert torch.equal(h[0], h[1])
    assert masked_atoms(graphs, torch.arange(2), 0.01, 0, 0).all()


def test_the_gradient_reaches_what_the_objective_trains():
    encoder, model = made()
    model(encoder, *batch(), seed=0, step=0).total.backward()
    named = [*encoder.named_parameters(), *model.named_parameters()]
    without = [name for name, parameter in named if parameter.grad is None]

    assert without == ["output.weight", "output.bias"]  # of whole molecules


def test_it_learns_what_atoms_are():
    encoder, model = made(features=["element"])
    optimizer = torch.optim.Adam([*encoder.parameters(), *model.parameters()], lr=0.01)
    losses = []
    for step in range(25):
        loss = model(encoder, *batch(), seed=0, step=step).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert losses[0] > 3.0
    assert np.mean(losses[-5:]) < 1.5


@pytest.mark.parametrize("features", [[], ["element", "element"]])
def test_features_are_named_each_once(features):
    with pytest.raises(ConfigError, match="name at least one, each once"):
        validate(MaskingSettings, {"features": features}, "masking")


def test_an_unknown_feature_is_refused():
    with pytest.raises(ConfigError, match="did you mean"):
        validate(MaskingSettings, {"features": ["elements"]}, "masking")
    assert {"element", "charge"} <= {feature.name for feature in ATOM_FEATURES}
