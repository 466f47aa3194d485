"""Where a node stands in its graph, from the spectra of two Laplacians: positional encodings.

The symmetric normalised Laplacian sees the graph without directions. The magnetic Laplacian is
Hermitian and tells directions by a phase of 2πq an edge: Zhang, He, Brugnone, Perlmutter and Hirn,
"MagNet", NeurIPS 2021; as positions: Geisler, Li, Mankowitz, Cemgil, Günnemann and Paduraru,
"Transformers meet directed graphs", ICML 2023. With q = 0 it is the former; at q = 1/4 an edge and
its reverse are i and -i.

An eigenvector is known up to its sign, or its phase. What is returned has that in which its
largest entry is real and positive. Eigenvalues that coincide leave a basis open, which no sign
fixes: models read kernels of the vectors, which no phase changes, and no choice of a basis either
as long as eigenspaces are there whole. So those that do not fit among the K vectors are left out.

Shapes: G graphs of one size, B graphs of a batch, N nodes, K eigenvectors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from assay.config import Settings

_TIE = 1e-6
"""Entries whose moduli differ by less are equally large: the first one sets the phase."""
_ONE_SPACE = 1e-6
"""Eigenvalues that differ by less are one, and a smaller one is 0."""


class Encodings(Settings):
    """Which positions are computed of a batch."""

    laplacian: int = Field(default=8, ge=0, le=64)
    """Eigenvectors at most, after those of eigenvalue 0, one a connected piece."""
    magnetic: int = Field(default=8, ge=0, le=64)
    """Eigenvectors at most, from the lowest on."""
    q: float = Field(default=0.25, ge=0, le=0.5)
    """Phase of an edge, in turns."""


@dataclass(frozen=True)
class PositionBatch:
    """Positions of a batch; 0 for padding."""

    laplacian_BNK: Tensor
    """float32."""
    laplacian_values_BK: Tensor
    """float32; -1 where a graph has no such eigenvector."""
    magnetic_BNK: Tensor
    """complex64."""
    magnetic_values_BK: Tensor
    """float32."""


def positions_of(adjacency_BNN: Tensor, mask_BN: Tensor, encodings: Encodings) -> PositionBatch:
    """Return the positions of the nodes of a batch, by the edges that it shows.

    Whatever the batch is padded to: graphs of one size are solved together, on the CPU, where
    small matrices are solved fastest.

    Args:
        adjacency_BNN: bool.
        mask_BN: bool, the nodes that there are; they come first.
        encodings: Which positions.
    """
    adjacency, counts_B = adjacency_BNN.cpu().numpy(), mask_BN.sum(1).cpu().numpy()
    B, N = mask_BN.shape
    vectors = {
        "laplacian": np.zeros((B, N, encodings.laplacian), np.float32),
        "magnetic": np.zeros((B, N, encodings.magnetic), np.complex64),
    }
    values = {name: np.full((B, each.shape[-1]), -1, np.float32) for name, each in vectors.items()}
    for n in np.unique(counts_B).tolist():
        chosen = np.flatnonzero(counts_B == n)
        graphs_GNN = adjacency[chosen, :n, :n]
        for name in vectors:
            if not (K := getattr(encodings, name)):
                continue
            if name == "laplacian":
                solved = _solved(laplacian(graphs_GNN), K, without_null=True)
            else:
                matrix_GNN = magnetic_laplacian(graphs_GNN, encodings.q)
                solved = _solved(matrix_GNN, K, without_null=False)
            values[name][chosen, : solved[0].shape[1]] = solved[0]
            vectors[name][chosen, :n, : solved[0].shape[1]] = solved[1]
    device = mask_BN.device
    return PositionBatch(
        torch.from_numpy(vectors["laplacian"]).to(device),
        torch.from_numpy(values["laplacian"]).to(device),
        torch.from_numpy(vectors["magnetic"]).to(device),
        torch.from_numpy(values["magnetic"]).to(device),
    )


def laplacian(adjacency_GNN: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (G, N, N): 1 - D^-1/2 A D^-1/2 of the graphs without directions."""
    undirected_GNN = adjacency_GNN | adjacency_GNN.swapaxes(-1, -2)
    return _normalised(undirected_GNN.astype(np.float64))


def magnetic_laplacian(adjacency_GNN: NDArray[np.bool_], q: float) -> NDArray[np.complex128]:
    """Return (G, N, N): 1 - D^-1/2 (A_s ∘ exp(iΘ)) D^-1/2 with Θ = 2πq (A - A^T).

    A_s joins two nodes with weight 1 whether one edge or both join them, so that q = 0 gives
    `laplacian`; both edges together have no phase.
    """
    A_GNN = adjacency_GNN.astype(np.float64)
    weight_GNN = np.maximum(A_GNN, A_GNN.swapaxes(-1, -2))
    phase_GNN = np.exp(2j * np.pi * q * (A_GNN - A_GNN.swapaxes(-1, -2)))
    return _normalised(weight_GNN, phase_GNN)


def canonical(vectors_GNK: NDArray[np.inexact]) -> NDArray[np.inexact]:
    """Return the vectors, the first of their largest entries made real and positive."""
    modulus_GNK = np.abs(vectors_GNK)
    largest_G1K = (modulus_GNK > modulus_GNK.max(axis=1, keepdims=True) - _TIE).argmax(
        axis=1, keepdims=True
    )
    entry_G1K = np.take_along_axis(vectors_GNK, largest_G1K, axis=1)
    return vectors_GNK * (entry_G1K.conj() / np.abs(entry_G1K))


def _normalised(
    weight_GNN: NDArray[np.float64], phase_GNN: NDArray[np.complex128] | None = None
) -> NDArray[Any]:
    degree_GN = weight_GNN.sum(-1)
    joined_GN = degree_GN > 0
    scale_GN = np.where(joined_GN, 1 / np.sqrt(np.where(joined_GN, degree_GN, 1)), 0)
    scaled_GNN = weight_GNN * scale_GN[..., :, None] * scale_GN[..., None, :]
    if phase_GNN is not None:
        scaled_GNN = scaled_GNN * phase_GNN
    return joined_GN[..., None] * np.eye(weight_GNN.shape[-1]) - scaled_GNN


def _solved(
    matrix_GNN: NDArray[Any], most: int, without_null: bool
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return the lowest eigenvalues (G, K), K ≤ `most`, and vectors (G, N, K), by whole spaces.

    -1 and zeros stand for what there is not, or not whole.
    """
    values_GN, vectors_GNN = np.linalg.eigh(matrix_GNN)
    values_GN = np.clip(values_GN, 0, 2)  # rounding leaves -1e-17 for 0
    N = values_GN.shape[1]
    first_G1 = (values_GN < _ONE_SPACE).sum(1, keepdims=True) if without_null else 0
    place_GK = first_G1 + np.zeros((len(values_GN), 1), int) + np.arange(min(most, N))
    with_end_GX = np.concatenate([values_GN, np.full((len(values_GN), 1), np.inf)], axis=1)
    left_out_G1 = np.take_along_axis(with_end_GX, np.minimum(place_GK[:, :1] + most, N), axis=1)
    found_GK = np.take_along_axis(with_end_GX, np.minimum(place_GK, N), axis=1)
    there_GK = (place_GK < N) & (found_GK < left_out_G1 - _ONE_SPACE)
    place_G1K = np.minimum(place_GK, N - 1)[:, None, :]
    chosen_GNK = canonical(np.take_along_axis(vectors_GNN, place_G1K, axis=2))
    return np.where(there_GK, found_GK, -1), np.where(there_GK[:, None, :], chosen_GNK, 0)
