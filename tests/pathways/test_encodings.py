"""Positional encodings from the spectra of two Laplacians."""

import networkx as nx
import numpy as np
import pytest
import torch

from assay.pathways.batches import records_of
from assay.pathways.encodings import (
    Encodings,
    canonical,
    laplacian,
    magnetic_laplacian,
    positions_of,
)
from assay.pathways.graphs import Pathway, pack

# No two eigenvalues of either coincide, so that eigenvectors are known up to their phase.
LOPSIDED = Pathway("a", [None] * 5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)])
CHAIN = Pathway("b", [None] * 3, [(0, 1), (1, 2)])
ALL = Encodings(laplacian=4, magnetic=5, q=0.25)


def dense(pathway):
    return pack([pathway]).adjacency(0)


def positions(*pathways):
    """Of a batch of graphs."""
    batch = records_of(pathways, {}, "here").batch(np.arange(len(pathways)))
    return positions_of(batch.adjacency_BNN, batch.mask_BN, ALL)


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
    found = positions(LOPSIDED)
    matrix = magnetic_laplacian(dense(LOPSIDED), 0.25)
    vectors, values = found.magnetic_BNK[0].numpy(), found.magnetic_values_BK[0].numpy()

    assert matrix @ vectors == pytest.approx(vectors * values, abs=1e-5)
    assert found.laplacian_values_BK[0].numpy() == pytest.approx(
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
    found, moved = positions(LOPSIDED), positions(permuted(LOPSIDED, order))

    for name in ("laplacian_BNK", "magnetic_BNK"):
        torch.testing.assert_close(
            getattr(moved, name), getattr(found, name)[:, order], rtol=0, atol=1e-5
        )


def test_company_and_padding_change_nothing_and_what_a_graph_lacks_is_marked():
    alone, together = positions(CHAIN), positions(LOPSIDED, CHAIN, LOPSIDED)

    for name in ("laplacian", "magnetic"):
        vectors, values = (getattr(together, f"{name}_{of}") for of in ("BNK", "values_BK"))
        assert torch.equal(vectors[1:2, :3], getattr(alone, f"{name}_BNK"))
        assert torch.equal(values[1:2], getattr(alone, f"{name}_values_BK"))
        assert not vectors[1, 3:].abs().any()
    assert together.laplacian_values_BK[1].tolist()[2:] == [-1, -1]
    assert not together.magnetic_BNK[1, :, 3:].abs().any()
