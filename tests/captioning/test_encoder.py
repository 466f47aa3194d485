from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.captioning.encoder import EncoderSettings, GraphEncoder, atom_rows
from assay.captioning.graphs import Graphs
from tests.captioning.test_graphs import SAMPLE, written_otherwise

POOLINGS = ("sum", "mean", "attention")


def made(**settings):
    torch.manual_seed(0)
    model = GraphEncoder(EncoderSettings.model_validate({"size": "xs", **settings}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.02)  # biases and ε, too
    return model.eval()


def run(model, smiles, records=None):
    batch = Graphs.of(smiles).batch(np.arange(len(smiles)))
    return model(batch, torch.arange(len(smiles)) if records is None else records)


def embed(model, *smiles):
    return run(model, smiles).molecules_BO.detach()


def renumbered(graphs, order):
    """The atoms of a batch of one molecule in another order."""
    place = torch.argsort(order)
    edges_2M = place[graphs.edges_2M]
    shuffle = torch.randperm(edges_2M.shape[1], generator=torch.Generator().manual_seed(2))
    return replace(
        graphs,
        atoms_NA=graphs.atoms_NA[order],
        edges_2M=edges_2M[:, shuffle],
        bonds_MG=graphs.bonds_MG[shuffle],
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_company_does_not_matter(pooling):
    model = made(pooling=pooling)
    together = run(model, SAMPLE)
    alone = [run(model, [one]) for one in SAMPLE]

    torch.testing.assert_close(together.molecules_BO, torch.cat([e.molecules_BO for e in alone]))
    torch.testing.assert_close(together.atoms_ND, torch.cat([e.atoms_ND for e in alone]))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_renumbering_atoms_renumbers_their_embeddings_and_leaves_the_molecules(pooling):
    model = made(pooling=pooling)
    graphs = Graphs.of(["CC(=O)Oc1ccccc1C(=O)O"]).batch(np.array([0]))
    order = torch.randperm(len(graphs.atoms_NA), generator=torch.Generator().manual_seed(1))
    ids = torch.zeros(1, dtype=torch.int64)

    here, there = model(graphs, ids), model(renumbered(graphs, order), ids)

    torch.testing.assert_close(there.atoms_ND, here.atoms_ND[order])
    torch.testing.assert_close(there.molecules_BO, here.molecules_BO)


def test_however_a_molecule_is_written_its_embedding_is_the_same():
    model = made()

    for smiles in SAMPLE:
        expected = embed(model, smiles)
        for other in written_otherwise(smiles):
            assert torch.equal(embed(model, other), expected), other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),  # enantiomers
        ("O=C(O)[C@H](O)[C@@H](O)C(=O)O", "O=C(O)[C@@H](O)[C@H](O)C(=O)O"),  # with symmetry
        ("O=C(O)[C@H](O)[C@@H](O)C(=O)O", "O=C(O)[C@H](O)[C@H](O)C(=O)O"),  # diastereomers
        ("C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1"),  # cis and trans, no R or S
        ("F/C=C/F", "F/C=C\\F"),
        ("F/C=C/F", "FC=CF"),
        ("CC(=O)O", "CC(=O)[O-]"),
        ("CC", "[13CH3]C"),
    ],
)
def test_what_differs_is_told_apart(one, other):
    one, other = embed(made(), one, other)

    assert float((one - other).abs().max()) > 1e-3


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_gradient_reaches_every_parameter(pooling):
    model = made(pooling=pooling, dropout=0.1).train()
    run(model, SAMPLE).molecules_BO.square().sum().backward()

    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_a_sum_tells_sizes_apart_that_a_mean_does_not():
    """Cyclohexane and cyclopentane: every atom sees the same."""
    by_sum, by_mean = (
        embed(made(pooling=pooling), "C1CCCCC1", "C1CCCC1") for pooling in ("sum", "mean")
    )

    torch.testing.assert_close(by_mean[0], by_mean[1])
    assert float((by_sum[0] - by_sum[1]).abs().max()) > 0.01


def test_molecules_without_bonds_are_embedded():
    found = run(made(outputs=768), ["C", "[Na+].[Cl-]"])

    assert found.molecules_BO.shape == (2, 768)
    assert found.atoms_ND.shape == (3, 64)
    assert found.molecules_BO.isfinite().all()


def test_dropout_follows_the_record_not_its_place_in_the_batch():
    model = made(dropout=0.5).train()
    ids = torch.tensor([70, 50])
    torch.manual_seed(3)
    here = run(model, ["CCO", "c1ccccc1"], ids).molecules_BO
    torch.randn(5)
    there = run(model, ["c1ccccc1", "CCO"], ids.flip(0)).molecules_BO

    torch.testing.assert_close(there.flip(0), here)
    torch.manual_seed(4)
    assert not torch.allclose(run(model, ["CCO", "c1ccccc1"], ids).molecules_BO, here)


def test_every_layer_drops_other_entries():
    layers = made(dropout=0.5).train().layers
    rows_N = torch.arange(50)

    first, second = (layer.dropout(torch.ones(50, 64), rows_N) for layer in layers)

    assert not torch.equal(first, second)


def test_every_atom_of_every_record_has_draws_of_its_own():
    batch = Graphs.of(["CCO", "CC"]).batch(np.array([0, 1, 0]))

    assert len(set(atom_rows(batch, torch.tensor([7, 8, 9])).tolist())) == 8


@pytest.mark.parametrize("size", ["xs", "s", "m", "l", "xl"])
def test_size_sets_width_and_depth(size):
    chosen = EncoderSettings.model_validate({"size": size, "depth": 1})

    assert chosen.depth == 1
    assert chosen.width == EncoderSettings.presets[size]["width"]
