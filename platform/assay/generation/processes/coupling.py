"""Equivariant optimal transport between a molecule and its noise.

The noise is permuted (Hungarian algorithm) and rotated (Kabsch) so that it lies near the molecule:
both leave its law unchanged, and shorten the path. Klein, Krämer and Noé, "Equivariant flow
matching", NeurIPS 2023; Song et al., "Equivariant flow matching with hybrid probability
transport", NeurIPS 2023.

Shapes: B molecules, N atoms (padded).
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def align_noise(noise_BN3: Tensor, clean_BN3: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the noise, permuted within each molecule and rotated, close to the clean positions."""
    permuted_BN3 = _permute(noise_BN3, clean_BN3, mask_BN)
    return permuted_BN3 @ kabsch(permuted_BN3, clean_BN3)


def kabsch(moving_BN3: Tensor, fixed_BN3: Tensor) -> Tensor:
    """Return (B, 3, 3) proper rotations R that minimise |moving R - fixed|².

    Source: Kabsch, Acta Cryst. A 32, 922 (1976). Both sets must be mean-free.
    """
    covariance_B33 = moving_BN3.transpose(1, 2) @ fixed_BN3
    u_B33, _, vt_B33 = torch.linalg.svd(covariance_B33.double())
    sign_B = torch.sign(torch.linalg.det(u_B33) * torch.linalg.det(vt_B33))
    flip_B3 = torch.stack([torch.ones_like(sign_B), torch.ones_like(sign_B), sign_B], dim=-1)
    return (u_B33 * flip_B3.unsqueeze(1) @ vt_B33).to(moving_BN3.dtype)


def _permute(noise_BN3: Tensor, clean_BN3: Tensor, mask_BN: Tensor) -> Tensor:
    """One assignment a molecule: it is a compiled call on a small matrix, 10 µs each."""
    cost_BNN = torch.cdist(clean_BN3, noise_BN3).square().cpu().numpy()
    counts_B = mask_BN.sum(1).tolist()
    order_BN = np.tile(np.arange(mask_BN.shape[1]), (len(counts_B), 1))
    for b, count in enumerate(counts_B):
        order_BN[b, :count] = linear_sum_assignment(cost_BNN[b, :count, :count])[1]
    index_BN = torch.from_numpy(order_BN).to(noise_BN3.device)
    return noise_BN3.gather(1, index_BN.unsqueeze(-1).expand(-1, -1, 3))
