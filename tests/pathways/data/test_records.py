"""Dense batches of pathways."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.errors import ConfigError
from assay.pathways.compounds import Compound
from assay.pathways.data.packing import graphs_of
from assay.pathways.data.records import records_of
from assay.pathways.encodings import Encodings
from assay.pathways.graphs import UNKNOWN, Pathway
from assay.store.packed import PackedSet
from assay.training.order import order_of

COMPOUNDS = {"A": Compound("C6H12O6", 0.0), "B": Compound("C3H4O3", -1.0, -110.0, "CC(=O)C(=O)O")}
SMALL = Pathway(
    "small", ["A", "B", "C"], [(0, 1), (1, 2)], main=[True, False], reversible=[False, True],
    reaction_classes=[2, 5], environment=(7.0, None, 0.1, None),
)  # fmt: skip
LARGE = Pathway("large", ["B", "D", "A", None, "E"], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])


def batch_of(pathways, indices, encodings=None):
    return records_of(pathways, COMPOUNDS, "here", encodings).batch(np.array(indices))


def test_a_batch_by_hand():
    batch = batch_of([SMALL, LARGE], [1, 0])

    assert batch.record_ids.tolist() == [1, 0]
    assert batch.mask_BN.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert batch.adjacency_BNN[1].nonzero().tolist() == [[0, 1], [1, 2]]
    assert batch.adjacency_BNN[0].nonzero().tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]
    assert batch.main_BNN[1].nonzero().tolist() == [[0, 1]]
    assert batch.reversible_BNN[1].nonzero().tolist() == [[1, 2]]
    assert batch.reaction_classes_BNN[1, [0, 1], [1, 2]].tolist() == [2, 5]
    assert batch.compounds_BN[1].tolist()[3:] == [UNKNOWN, UNKNOWN]
    assert batch.environment_known_B4.tolist() == [[False] * 4, [True, False, True, False]]
    assert torch.equal(batch.features_BNF[0, 0], batch.features_BNF[1, 1])  # B, in both
    assert not batch.features_BNF[0, 3].any()  # unnamed


def test_padding_changes_nothing():
    alone, padded = batch_of([SMALL, LARGE], [0]), batch_of([SMALL, LARGE], [0, 1])

    for name in ("features_BNF", "compounds_BN", "classes_BN"):
        assert torch.equal(getattr(padded, name)[:1, :3], getattr(alone, name)), name
    for name in ("adjacency_BNN", "main_BNN", "reversible_BNN", "reaction_classes_BNN"):
        assert torch.equal(getattr(padded, name)[:1, :3, :3], getattr(alone, name)), name
        assert not getattr(padded, name)[0, 3:].any(), name
    assert not padded.features_BNF[0, 3:].any()


def test_shuffled_edges_leave_the_features_of_nodes_unchanged():
    shuffled = replace(LARGE, edges=[(3, 1), (0, 4), (2, 0), (4, 2), (1, 3)])

    before, after = (batch_of([one], [0]) for one in (LARGE, shuffled))

    assert not torch.equal(before.adjacency_BNN, after.adjacency_BNN)
    for name in ("features_BNF", "compounds_BN", "classes_BN", "environment_B4"):
        assert torch.equal(getattr(before, name), getattr(after, name)), name


def test_positions_come_only_when_asked_for():
    assert batch_of([SMALL], [0]).positions is None

    positions = batch_of([SMALL, LARGE], [0, 1], Encodings(laplacian=4, magnetic=3)).positions
    assert positions.laplacian_BNK.shape == (2, 5, 4)
    assert positions.magnetic_BNK.shape == (2, 5, 3)
    assert positions.magnetic_BNK.is_complex()
    assert not positions.laplacian_BNK[0, 3:].any()


def test_a_batch_moves_whole():
    moved = batch_of([SMALL, LARGE], [0, 1], Encodings()).to(torch.device("meta"))

    tensors = (*vars(moved).values(), *vars(moved.positions).values())
    assert all(v.device.type == "meta" for v in tensors if isinstance(v, torch.Tensor))


def test_lengths_are_nodes():
    assert records_of([SMALL, LARGE], COMPOUNDS, "here").lengths.tolist() == [3, 5]


def test_pyg_gets_the_features_of_the_batch():
    records = records_of([SMALL, LARGE], COMPOUNDS, "here")
    batch = records.batch(np.array([1]))

    data = records.to_pyg(1)

    assert torch.equal(data.x, batch.features_BNF[0])
    assert torch.equal(data.compound_class, batch.classes_BN[0])
    assert data.num_node_features == batch.features_BNF.shape[-1]
    data.validate()


def test_training_forms_batches_of_like_sizes():
    chains = [
        Pathway(f"chain {k}", [None] * size, [(j, j + 1) for j in range(size - 1)])
        for k, size in enumerate([3, 40] * 64)
    ]
    records = records_of(chains, {}, "here")
    order = order_of(records, 16, seed=0)

    batches = [records.batch(order.indices(step)) for step in range(order.batches_per_epoch)]

    padding = sum(float((~batch.mask_BN).sum()) for batch in batches)
    nodes = sum(float(batch.mask_BN.sum()) for batch in batches)
    assert padding < 0.2 * nodes  # in the order of the file it would be as much again


def test_another_kind_of_set_is_refused(tmp_path):
    arrays = {"ids": np.arange(2), "split": np.zeros(2, np.uint8)}
    packed = PackedSet.write(tmp_path, arrays, name="links", description="", source="rules")

    with pytest.raises(ConfigError, match=r"links: holds no pathways; .* such as mini_pathways"):
        graphs_of(packed)
