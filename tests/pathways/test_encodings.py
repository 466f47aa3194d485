"""Positional encodings from the spectra of two Laplacians."""

import networkx as nx
import numpy as np
import pytest
import torch

from assay.pathways.data.records import records_of
from assay.pathways.encodings import (
    Encodings,
    canonical,
    encode,
    laplacian,
    magnetic_laplacian,
    positions_of,
    turned,
)
from assay.pathways.graphs import Pathway, pack
from assay.training.draws import Draws

# No two eigenvalues of either coincide, so that eigenvectors are known up to their phase.
LOPSIDED = Pathway("a", [None] * 5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)])
CHAIN = Pathway("b", [None] * 3, [(0, 1), (1, 2)])
ALL = Encodings(laplacian=4, magnetic=5, q=0.25)


def dense(pathway):
    return pack([pathway]).adjacency(0)


def permuted(pathway, order):
    place = {old: new for new, old in enumerate(order)}
    edges = [(place[a], place[b]) for a, b in pathway.edges]
    return Pathway(pathway.id, [None] * len(pathway.nodes), edges)


def test_the_laplacian_is_that_of_networkx():
    graph = nx.Graph(LOPSIDED.edges)

    expected = nx.normalized_laplacian_matrix(graph, nodelist=range(5)).toarray()

    assert laplacian(dense(LOPSIDED)[None])[0] == pytest.approx(expected)


def test_the_magnetic_laplacian_by_hand():
    (found,) = magnetic_laplacian(dense(CHAIN)[None], 0.25)

    root = 1 / np.sqrt(2)
    expected = [[1, -1j * root, 0], [1j * root, 1, -1j * root], [0, 1j * root, 1]]
    assert found == pytest.approx(np.array(expected))
    assert found == pytest.approx(found.conj().T)


def test_without_a_phase_directions_are_not_seen():
    adjacency = dense(LOPSIDED)[None]

    assert magnetic_laplacian(adjacency, 0) == pytest.approx(laplacian(adjacency).astype(complex))


def test_a_phase_tells_a_directed_cycle_from_one_that_does_not_close():
    closed = dense(Pathway("", [None] * 3, [(0, 1), (1, 2), (2, 0)]))
    broken = dense(Pathway("", [None] * 3, [(0, 1), (1, 2), (0, 2)]))

    assert laplacian(closed) == pytest.approx(laplacian(broken))
    # At a quarter turn, three edges round and one against them would be mirror images.
    spectra = [np.linalg.eigvalsh(magnetic_laplacian(one, 0.1)) for one in (closed, broken)]
    assert not np.allclose(*spectra)


def test_both_directions_at_once_have_no_phase():
    both = dense(Pathway("", [None] * 2, [(0, 1), (1, 0)]))

    assert magnetic_laplacian(both, 0.25).imag == pytest.approx(0)


def test_eigenvectors_solve_what_they_should():
    found = encode(pack([LOPSIDED]), ALL)
    matrix = magnetic_laplacian(dense(LOPSIDED), 0.25)

    assert matrix @ found.magnetic == pytest.approx(
        found.magnetic * found.magnetic_values[0], abs=1e-5
    )
    assert found.laplacian_values[0] == pytest.approx(
        np.linalg.eigvalsh(laplacian(dense(LOPSIDED)))[1:]
    )


def test_any_sign_or_phase_of_the_solver_gives_the_same_positions():
    draw = np.random.default_rng(0)
    _, vectors = np.linalg.eigh(magnetic_laplacian(dense(LOPSIDED)[None], 0.25))
    phases = np.exp(2j * np.pi * draw.random(5))

    assert canonical(vectors * phases) == pytest.approx(canonical(vectors))
    real = vectors.real
    assert canonical(-real) == pytest.approx(canonical(real))


def test_positions_move_with_their_nodes():
    order = [3, 0, 4, 2, 1]
    found, moved = (encode(pack([one]), ALL) for one in (LOPSIDED, permuted(LOPSIDED, order)))

    assert moved.laplacian == pytest.approx(found.laplacian[order], abs=1e-5)
    assert moved.magnetic == pytest.approx(found.magnetic[order], abs=1e-5)


def test_company_changes_nothing_and_what_a_graph_lacks_is_marked():
    alone = encode(pack([CHAIN]), ALL)
    together = encode(pack([LOPSIDED, CHAIN, LOPSIDED]), ALL)

    assert together.laplacian[5:8] == pytest.approx(alone.laplacian)
    assert together.magnetic[5:8] == pytest.approx(alone.magnetic)
    assert together.laplacian_values[1].tolist()[2:] == [-1, -1]
    assert not together.magnetic[5:8, 3:].any()


def test_random_signs_change_no_function_that_does_not_depend_on_them():
    batch = records_of([LOPSIDED, CHAIN], {}, "here", ALL).batch(np.array([0, 1]))
    before = batch.positions
    after = turned(before, Draws(7, 3, batch.record_ids))

    def invariant(v_BNK):
        return torch.einsum("bnk,bmk->bnmk", v_BNK, v_BNK.conj())

    assert not torch.equal(before.laplacian_BNK, after.laplacian_BNK)
    for name in ("laplacian_BNK", "magnetic_BNK"):
        old, new = (invariant(getattr(one, name)) for one in (before, after))
        torch.testing.assert_close(old, new)
    assert torch.equal(before.laplacian_BNK.abs(), after.laplacian_BNK.abs())
    assert torch.equal(before.magnetic_values_BK, after.magnetic_values_BK)


def test_random_signs_depend_on_seed_step_and_record_alone():
    records = records_of([LOPSIDED, CHAIN], {}, "here", ALL)
    both, alone = records.batch(np.array([0, 1])), records.batch(np.array([1]))

    def signs(batch, step):
        return turned(batch.positions, Draws(7, step, batch.record_ids)).magnetic_BNK

    assert torch.equal(signs(both, 3)[1:, :3], signs(alone, 3))
    assert not torch.equal(signs(alone, 3), signs(alone, 4))


def test_positions_of_a_batch_are_those_of_its_graphs_whatever_the_padding():
    from tests.pathways import made

    records, how = made.records(), Encodings(laplacian=3, magnetic=4)
    packed, batch = encode(records.graphs, how), records.batch(np.array([2, 5, 0]))

    found = positions_of(batch.adjacency_BNN, batch.mask_BN, how)

    for row, k in enumerate((2, 5, 0)):
        N = int(records.graphs.node_counts[k])
        nodes = slice(records.graphs.node_offsets[k], records.graphs.node_offsets[k + 1])
        for name in ("laplacian", "magnetic"):
            vectors, values = getattr(found, f"{name}_BNK"), getattr(found, f"{name}_values_BK")
            np.testing.assert_array_equal(vectors[row, :N].numpy(), getattr(packed, name)[nodes])
            np.testing.assert_array_equal(values[row].numpy(), getattr(packed, f"{name}_values")[k])
            assert not vectors[row, N:].abs().any()
