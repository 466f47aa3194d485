"""The algebra of crystal lattices that models, metrics and preparation share.

Shapes: B crystals, N atoms (padded), P = N² pairs, J = 13 images, M crystals without padding. Rows
of a lattice are a, b, c in Å, so that Cartesian = fractional @ lattice. Everything in torch is
batched, keeps its dtype and device, and can be differentiated, except `lattice_to_vector`, which is
for data.
"""

import contextlib
import warnings

import numpy as np
import torch
from torch import Tensor

from assay.chemistry.crystals import Crystals
from assay.chemistry.extras import needing
from assay.errors import DataError

LOG_LENGTH = (-3.0, 7.0)
"""Bounds of a decoded cell's mean log length: 0.05 to 1,100 Å (in MP-20 it is 0.79 to 2.60)."""

LOG_DISTORTION = 6.0
"""Bound of a decoded cell's distortion, the Frobenius norm of its traceless logarithm (MP-20: below
2.3): beyond it float32 could no longer tell a cell from a plane."""

_NIGGLI_TOLERANCE = 1e-5
_SINGULAR = 1e-3


def lattice_to_parameters(lattices_B33: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lengths a, b, c (B, 3) in Å and the angles α, β, γ (B, 3) in degrees."""
    lengths_B3 = lattices_B33.norm(dim=-1)
    unit_B33 = lattices_B33 / lengths_B3.unsqueeze(-1)
    # α lies between b and c, β between c and a, γ between a and b.
    cosines_B3 = (unit_B33.roll(-1, dims=-2) * unit_B33.roll(-2, dims=-2)).sum(-1)
    return lengths_B3, torch.rad2deg(torch.arccos(cosines_B3.clamp(-1.0, 1.0)))


def parameters_to_lattice(lengths_B3: Tensor, angles_B3: Tensor) -> Tensor:
    """Return the right-handed lattices (B, 3, 3) with a along x and b in the xy plane.

    Angles that no three vectors can have between them give a singular lattice.

    Args:
        lengths_B3: a, b, c in Å.
        angles_B3: α, β, γ in degrees.
    """
    alpha_B, beta_B, gamma_B = torch.deg2rad(angles_B3).unbind(-1)
    x_B, y_B = torch.cos(beta_B), torch.cos(alpha_B) - torch.cos(beta_B) * torch.cos(gamma_B)
    y_B = y_B / torch.sin(gamma_B)
    z_B = (1.0 - x_B.square() - y_B.square()).clamp(min=0.0).sqrt()
    zero_B, one_B = torch.zeros_like(x_B), torch.ones_like(x_B)
    rows = (
        torch.stack([one_B, zero_B, zero_B], -1),
        torch.stack([torch.cos(gamma_B), torch.sin(gamma_B), zero_B], -1),
        torch.stack([x_B, y_B, z_B], -1),
    )
    return torch.stack(rows, -2) * lengths_B3.unsqueeze(-1)


def lattice_to_vector(lattices_B33: Tensor) -> Tensor:
    """Return (B, 6) numbers that say what a right-handed cell is, and nothing of its orientation.

    They are the coefficients k₁…k₆ of the symmetric logarithm S of the lattice's polar part,
    L = exp(S) R with a rotation R, hence S = ½ log(L Lᵀ), in the basis of DiffCSP++ (Jiao et al.,
    "Space group constrained crystal generation", ICLR 2024): three shears, two changes of axial
    ratio, and k₆ = ⅓ ln(volume), the mean log length.
    """
    lattices_B33_f64 = lattices_B33.detach().double()
    gram_B33 = lattices_B33_f64 @ lattices_B33_f64.mT
    values_B3, vectors_B33 = torch.linalg.eigh(gram_B33)
    log_B33 = vectors_B33 @ torch.diag_embed(0.5 * values_B3.log()) @ vectors_B33.mT
    x_B, y_B, z_B = log_B33.diagonal(dim1=-2, dim2=-1).unbind(-1)
    k_B6 = [
        log_B33[..., 0, 1],
        log_B33[..., 0, 2],
        log_B33[..., 1, 2],
        (x_B - y_B) / 2,
        (x_B + y_B - 2 * z_B) / 6,
        (x_B + y_B + z_B) / 3,
    ]
    return torch.stack(k_B6, -1).to(lattices_B33.dtype)


def vector_to_lattice(vectors_B6: Tensor) -> Tensor:
    """Return the symmetric right-handed lattice (B, 3, 3), in Å, of each vector.

    The inverse of `lattice_to_vector` up to a rotation. Every finite vector gives a cell of
    positive volume: what lies beyond LOG_LENGTH or LOG_DISTORTION, as no crystal does, is drawn in
    to the bound.
    """
    distortion_B5 = vectors_B6[..., :5]
    with torch.no_grad():
        # The largest number first: the squares of huge ones overflow.
        largest_B1 = distortion_B5.abs().amax(-1, keepdim=True).clamp(min=1.0)
        squares_B5 = (distortion_B5 / largest_B1).square()
        # Of the basis matrices the last has the squared norm 6, the others 2.
        norm_B1 = (2 * squares_B5.sum(-1, keepdim=True) + 4 * squares_B5[..., 4:]).sqrt()
        excess_B1 = (norm_B1 * (largest_B1 / LOG_DISTORTION)).clamp(min=1.0)
    xy_B, xz_B, yz_B, k4_B, k5_B = (distortion_B5 / excess_B1).unbind(-1)
    rows = (
        torch.stack([k4_B + k5_B, xy_B, xz_B], -1),
        torch.stack([xy_B, k5_B - k4_B, yz_B], -1),
        torch.stack([xz_B, yz_B, -2 * k5_B], -1),
    )
    size_B11 = vectors_B6[..., 5].clamp(*LOG_LENGTH).exp()[..., None, None]
    return size_B11 * torch.linalg.matrix_exp(torch.stack(rows, -2))


def wrapped(frac_coords: Tensor) -> Tensor:
    """Return fractional coordinates (any shape) in [0, 1)."""
    inside = frac_coords - frac_coords.floor()
    return torch.where(inside >= 1.0, 0.0, inside)  # -1e-9 + 1 is 1 in float32; nan stays nan


def torus_difference(difference: Tensor) -> Tensor:
    """Return differences of fractional coordinates (any shape) by the short way, in (-1/2, 1/2].

    Of each coordinate by itself: the shortest vector in space is `minimum_image_vectors`.
    """
    return difference - (difference - 0.5).ceil()


def minimum_image_vectors(frac_BN3: Tensor, lattices_B33: Tensor, mask_BN: Tensor) -> Tensor:
    """Return x_i - x_j as (B, N, N, 3) in Å, of the images of i and j that are nearest.

    Of the 27 cells around the difference by the short way, the nearest image is among them for
    every Niggli- or Minkowski-reduced cell. Where several images are equally near, which is common
    in symmetric crystals, one of them is returned: only its length is then a property of the
    crystal. The difference of an atom to itself is 0, and so are those of padding.

    With d the difference by the short way and G the Gram matrix, the image d - n is nearer than d
    where n·Gn - 2 n·Gd < 0, and d + n where n·Gn + 2 n·Gd < 0. So 13 products n·Gd stand for the 26
    other images, and none but the nearest is ever made.
    """
    B, N, _ = frac_BN3.shape
    with torch.autocast(frac_BN3.device.type, enabled=False):
        short_BNN3 = torus_difference(frac_BN3[:, :, None] - frac_BN3[:, None, :])
        short_BP3 = short_BNN3.view(B, N * N, 3)
        with torch.no_grad():
            images_J3 = _half_of_the_images(frac_BN3)
            projected_BJ3 = images_J3 @ (lattices_B33 @ lattices_B33.mT)
            squares_B1J = (projected_BJ3 * images_J3).sum(-1).unsqueeze(1)
            along_BPJ = short_BP3 @ (2 * projected_BJ3.mT)
            change_BP1, nearest_BP1 = (squares_B1J - along_BPJ.abs()).min(-1, keepdim=True)
            sign_BP1 = along_BPJ.gather(-1, nearest_BP1).sign() * (change_BP1 < 0)
            shift_BP3 = images_J3[nearest_BP1.squeeze(-1)] * sign_BP1
        vectors_BP3 = (short_BP3 - shift_BP3) @ lattices_B33
    both_BNN1 = (mask_BN[:, :, None] & mask_BN[:, None, :]).unsqueeze(-1)
    return vectors_BP3.view(B, N, N, 3) * both_BNN1


def niggli_reduced(crystals: Crystals) -> Crystals:
    """Return the same crystals in their Niggli cells, right-handed, coordinates in [0, 1).

    By spglib (Křivý and Gruber, Acta Cryst. A32, 297, 1976), a cell at a time.

    Raises:
        DataError: names the first cell that cannot be reduced, by its place from 1.
    """
    with needing("crystals"):
        from spglib import SpglibError, niggli_reduce

    lattices_M33 = crystals.lattices.astype(np.float64)
    reduced_M33 = np.empty_like(lattices_M33)
    for number, lattice_33 in enumerate(lattices_M33):
        reduced_33 = None
        solid = abs(np.linalg.det(lattice_33)) > _SINGULAR  # spglib "reduces" what is flat, or nan
        with warnings.catch_warnings(), contextlib.suppress(SpglibError):
            # spglib announces that it will raise where it now returns None; both are met here.
            warnings.simplefilter("ignore", DeprecationWarning)
            reduced_33 = niggli_reduce(lattice_33, eps=_NIGGLI_TOLERANCE) if solid else None
        if reduced_33 is None:
            raise DataError(f"crystal {number + 1}: its cell has no Niggli form; leave it out")
        reduced_M33[number] = reduced_33
    reduced_M33 *= np.sign(np.linalg.det(reduced_M33))[:, None, None]
    # new = change @ old in whole numbers, so that fractions @ inverse(change) are the new ones.
    change_M33 = np.rint(reduced_M33 @ np.linalg.inv(lattices_M33))
    exact_M33 = change_M33 @ lattices_M33
    frac = np.einsum(
        "ni,nij->nj",
        crystals.frac_coords.astype(np.float64),
        np.linalg.inv(change_M33)[crystals.owner],
    )
    inside = wrapped(torch.from_numpy(frac).float()).numpy()
    return Crystals(inside, crystals.numbers, crystals.n_atoms, exact_M33.astype(np.float32))


def _half_of_the_images(like: Tensor) -> Tensor:
    """Return (13, 3), one of each pair n, -n of the 26 neighbouring cells, made where `like` is."""
    # Three digits -1, 0, 1 each; code 13 is the cell itself, and 26 - code is the opposite one.
    codes_J = torch.arange(14, 27, device=like.device)
    return torch.stack([codes_J // 9, codes_J // 3 % 3, codes_J % 3], -1).to(like.dtype) - 1
