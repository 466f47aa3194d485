"""Positional encodings from the spectra of two Laplacians."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


def kernels(found, row, n):
    """What models read: Σₖ φ(λₖ) v(u, k) v(v, k)*, for some φ."""
    of_row = []
    for vectors, values in (
        (found.laplacian_BNK[row, :n], found.laplacian_values_BK[row]),
        (found.magnetic_BNK[row, :n], found.magnetic_values_BK[row]),
    ):
        weight = torch.stack([values + 2, values.cos()])
        of_row.append(torch.einsum("uk,vk,mk->muv", vectors, vectors.conj(), weight.to(vectors)))
    return of_row


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_no_numbering_of_nodes_is_seen_in_trees_with_leaves_and_in_pieces(data):
    """Leaves of one node share an eigenvalue, and so do pieces: whole spaces count, or none."""
    n = data.draw(st.integers(9, 16))
    draw = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    tree = [(int(draw.integers(0, min(k, 4))), k) for k in range(1, n)]
    kept = [edge for edge in tree if draw.random() > 0.2]
    graph = Pathway("a", [None] * n, kept)
    order = data.draw(st.permutations(range(n)))

    batch = records_of([graph, permuted(graph, order)], {}, "here").batch(np.arange(2))
    few = Encodings(laplacian=5, magnetic=5, q=0.25)
    found = positions_of(batch.adjacency_BNN, batch.mask_BN, few)

    for plain, moved in zip(kernels(found, 0, n), kernels(found, 1, n), strict=True):
        torch.testing.assert_close(moved, plain[:, order][:, :, order], rtol=0, atol=1e-5)


def test_of_a_star_only_the_space_that_fits_is_left():
    star = Pathway("a", [None] * 12, [(0, k) for k in range(1, 12)])
    batch = records_of([star], {}, "here").batch(np.arange(1))

    def values(most):
        found = positions_of(batch.adjacency_BNN, batch.mask_BN, Encodings(laplacian=most))
        return found.laplacian_values_BK[0]

    # The eigenvalues are 0, ten times 1, and 2.
    assert values(8).tolist() == [-1.0] * 8
    assert values(10).tolist() == pytest.approx([1.0] * 10)
    assert values(12).tolist() == pytest.approx([1.0] * 10 + [2.0, -1.0])
