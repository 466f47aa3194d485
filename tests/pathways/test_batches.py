from types import SimpleNamespace

import numpy as np
import pytest
import torch

from assay.errors import ConfigError, DataError
from assay.pathways.batches import (
    MOST_PAIRS,
    PathwayRecords,
    drawn_pairs,
    of_like_sizes,
    records_of,
    splits,
)
from assay.pathways.compounds import Compound
from assay.pathways.graphs import UNKNOWN, Pathway, pack
from assay.training.order import order_of
from tests.pathways import made


@pytest.mark.parametrize("most", [1, 16, 128])
def test_graphs_of_like_sizes_go_together_and_few_of_the_large_ones(most):
    sizes_G = np.random.default_rng(0).integers(3, 50, 300)
    sizes_G[[7, 40]] = 500
    found = of_like_sizes(sizes_G, most)

    assert np.concatenate(found).tolist() == np.argsort(sizes_G, kind="stable").tolist()
    assert [each.tolist() for each in found[-2:]] == [[7], [40]]
    for each, after in zip(found, [*found[1:], None], strict=True):
        assert len(each) <= most
        assert len(each) == 1 or len(each) * sizes_G[each].max() ** 2 <= MOST_PAIRS
        if after is not None and len(each) < most:  # one more would be too many
            assert (len(each) + 1) * sizes_G[after[0]] ** 2 > MOST_PAIRS


def test_a_batch_holds_its_graphs_and_nothing_beyond_them():
    records = made.records()
    batch = records.batch(np.array([3, 0, 7]))

    assert batch.record_ids.tolist() == [3, 0, 7]
    assert batch.mask_BN.sum(1).tolist() == records.graphs.node_counts[[3, 0, 7]].tolist()
    for row, k in enumerate((3, 0, 7)):
        N = int(records.graphs.node_counts[k])
        np.testing.assert_array_equal(
            batch.adjacency_BNN[row, :N, :N].numpy(), records.graphs.adjacency(k)
        )
        codes = records.graphs.nodes[records.graphs.node_offsets[k] :][:N]
        assert batch.compounds_BN[row, :N].tolist() == codes.tolist()
    outside = ~batch.mask_BN
    assert (batch.compounds_BN[outside] == -1).all()
    assert not batch.features_BNF[outside].any()
    assert not batch.adjacency_BNN[outside].any()
    assert not (batch.reversible_BNN & ~batch.adjacency_BNN).any()
    assert not batch.reactions_BNN[~batch.adjacency_BNN].any()


COMPOUNDS = {"A": Compound("C6H12O6", 0.0), "B": Compound("C3H4O3", -1.0, -110.0, "CC(=O)C(=O)O")}
SMALL = Pathway(
    "small", ["A", "B", "C"], [(0, 1), (1, 2)], main=[True, False], reversible=[False, True],
    reaction_classes=[2, 5], environment=(7.0, None, 0.1, None),
)  # fmt: skip
LARGE = Pathway("large", ["B", "D", "A", None, "E"], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])


def test_a_batch_of_ones_own_graphs_by_hand():
    batch = records_of([SMALL, LARGE], COMPOUNDS, "here").batch(np.array([1, 0]))

    assert batch.record_ids.tolist() == [1, 0]
    assert batch.mask_BN.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert batch.adjacency_BNN[1].nonzero().tolist() == [[0, 1], [1, 2]]
    assert batch.adjacency_BNN[0].nonzero().tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]
    assert batch.main_BNN[1].nonzero().tolist() == [[0, 1]]
    assert batch.reversible_BNN[1].nonzero().tolist() == [[1, 2]]
    assert batch.reactions_BNN[1, [0, 1], [1, 2]].tolist() == [2, 5]
    assert batch.compounds_BN[1].tolist()[3:] == [UNKNOWN, UNKNOWN]
    assert batch.known_B4.tolist() == [[False] * 4, [True, False, True, False]]
    assert torch.equal(batch.features_BNF[0, 0], batch.features_BNF[1, 1])  # B, in both
    assert not batch.features_BNF[0, 3].any()  # unnamed


def test_pyg_gets_the_features_of_the_batch():
    records = records_of([SMALL, LARGE], COMPOUNDS, "here")
    batch = records.batch(np.array([1]))

    data = records.to_pyg(1)

    assert torch.equal(data.x, batch.features_BNF[0])
    assert torch.equal(data.compound_class, batch.classes_BN[0])
    assert data.num_node_features == batch.features_BNF.shape[-1]
    data.validate()


def test_a_formula_that_is_none_is_one_sentence():
    with pytest.raises(DataError, match=r"mine\.xml: A"):
        records_of([SMALL], {"A": Compound("not a formula")}, "mine.xml")


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


def test_a_batch_moves_whole():
    moved = made.batch().to(torch.device("meta"))

    assert all(value.device.type == "meta" for value in vars(moved).values())


def test_of_an_edge_that_is_listed_twice_what_any_listing_says_holds():
    graphs = pack(
        [
            Pathway(
                id="p",
                nodes=["c1", None, "c3"],
                edges=[(0, 1), (0, 1), (1, 2)],
                reversible=[True, False, False],
                main=[False, True, False],
                reaction_classes=[2, 0, 0],
            )
        ]
    )
    batch = PathwayRecords(graphs, made.table(graphs), np.array([9])).batch(np.array([0]))

    assert batch.adjacency_BNN[0].sum() == 2
    assert batch.reversible_BNN[0, 0, 1]
    assert batch.main_BNN[0, 0, 1]
    assert batch.reactions_BNN[0, 0, 1] == 2
    assert batch.compounds_BN[0].tolist()[1] == -1
    assert not batch.features_BNF[0, 1].any(), "of a node without a name nothing is known"


def test_what_is_hidden_is_gone_with_everything_that_it_was():
    batch = made.batch()
    seen = batch.without(torch.ones_like(batch.adjacency_BNN))

    for name in ("adjacency", "reversible", "main", "reactions"):
        assert getattr(batch, f"{name}_BNN").any()
        assert not getattr(seen, f"{name}_BNN").any()
    torch.testing.assert_close(seen.features_BNF, batch.features_BNF)


def test_hidden_pairs_are_marked_whether_or_not_an_edge_was_there():
    batch = made.batch()
    some = torch.rand(batch.adjacency_BNN.shape) < 0.4
    first, second = some & ~some.mT, some & some.mT

    seen = batch.without(first).without(second)

    assert not batch.hidden_BNN.any()
    assert torch.equal(seen.hidden_BNN, some & batch.pairs_BNN)
    assert (seen.hidden_BNN & batch.adjacency_BNN).any()
    assert (seen.hidden_BNN & ~batch.adjacency_BNN).any()


def test_a_pair_and_its_reverse_share_their_draw_whatever_the_padding():
    whole, alone = made.batch(range(6)), made.batch([2])
    drawn = drawn_pairs(whole, made.draws(whole), "a")
    other = drawn_pairs(whole, made.draws(whole), "b")
    N = alone.mask_BN.shape[1]

    torch.testing.assert_close(drawn, drawn.mT)
    torch.testing.assert_close(drawn[2:3, :N, :N], drawn_pairs(alone, made.draws(alone), "a"))
    assert (drawn - other).abs().max() > 0.1


def test_renumbered_graphs_are_the_same_graphs():
    batch = made.batch([1])
    N = batch.mask_BN.shape[1]
    order = torch.randperm(N)[None]

    moved = batch.renumbered(order)

    back = moved.renumbered(order.argsort(1))
    for name, value in vars(batch).items():
        torch.testing.assert_close(getattr(back, name), value)
    u, v = 0, 1
    assert moved.adjacency_BNN[0, u, v] == batch.adjacency_BNN[0, order[0, u], order[0, v]]
    assert moved.compounds_BN[0, u] == batch.compounds_BN[0, order[0, u]]


def test_another_kind_of_data_is_one_sentence():
    with pytest.raises(ConfigError, match="links: holds no pathways"):
        splits(SimpleNamespace(name="links"))


def test_a_corpus_counts_what_training_graphs_name():
    graphs, corpus = made.graphs(), made.corpus()

    assert corpus.counts_V.sum() == graphs.node_counts.sum()
    pairs = (graphs.node_counts * (graphs.node_counts - 1)).sum()
    assert corpus.density == graphs.edge_counts.sum() / pairs
    assert corpus.most_nodes == graphs.node_counts.max()
    assert sum(corpus.reaction_classes) == 1
    # c7 has the formula C2H4R, of which a part is not told.
    place = list(corpus.names).index("c7")
    assert not corpus.atoms_known_V[place]
    assert not corpus.atoms_VZ[place].any()
