"""How much a coordination shell looks like each of the known ones: local order parameters.

From 0, not at all, to 1. Each neighbour j in turn is the north pole and each other one, k, gives
the prime meridian; what the polar angle θ of k, and the angles θ and φ of every further neighbour
m, contribute is averaged, and the best choice of j and k counts. Source: Zimmermann et al.,
Front. Mater. 4 (2017) 34; Zimmermann and Jain, RSC Adv. 10 (2020) 6063, with the parameters of
pymatgen's `LocalStructOrderParams`, whose values these are, of many shells at once.

Shapes: G shells of n neighbours, j k m neighbours of a shell. Angles are fractions of π, but for
φ, which is in radians.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_ALIGNED = 1e-12
_SHELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class _Angles:
    """The angles of G shells, and which of them there are."""

    theta_Gnn: NDArray[np.float64]
    """From j to k."""
    phi_Gnnn: NDArray[np.float64]
    """Around j, from k to m."""
    pair_nn: NDArray[np.bool_]
    """j and k are different."""
    triple_Gnnn: NDArray[np.bool_]
    """So is m from both, and k is not aligned with j."""
    turned_Gnnn: NDArray[np.bool_]
    """Nor is m, so that φ is defined."""

    @classmethod
    def of(cls, unit_Gn3: NDArray[np.float64]) -> Self:
        n = unit_Gn3.shape[1]
        cosine_Gnn = (unit_Gn3 @ unit_Gn3.transpose(0, 2, 1)).clip(-1, 1)
        across_Gnn3 = unit_Gn3[:, None] - cosine_Gnn[..., None] * unit_Gn3[:, :, None]
        length_Gnn = np.linalg.norm(across_Gnn3, axis=-1)
        aside_Gnn = length_Gnn >= _ALIGNED
        across_Gnn3 /= np.where(aside_Gnn, length_Gnn, 1.0)[..., None]
        phi_Gnnn = np.arccos((across_Gnn3 @ across_Gnn3.transpose(0, 1, 3, 2)).clip(-1, 1))
        pair_nn = ~np.eye(n, dtype=bool)
        all_nnn = pair_nn[:, :, None] & pair_nn[:, None, :] & pair_nn[None, :, :]
        triple_Gnnn = all_nnn & aside_Gnn[..., None]
        turned_Gnnn = triple_Gnnn & aside_Gnn[:, :, None, :]
        return cls(np.arccos(cosine_Gnn) / np.pi, phi_Gnnn, pair_nn, triple_Gnnn, turned_Gnnn)


_Parameter = Callable[[_Angles], NDArray[np.float64]]


def _gauss(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-0.5 * x * x)


def _best(
    of_pair_Gnn: NDArray[np.float64],
    pairs_Gnn: NDArray[np.floating],
    of_triple_Gnn: NDArray[np.float64],
    triples_Gnn: NDArray[np.integer] | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return (G,) the largest mean contribution over j and k, of sums and numbers of terms."""
    terms_Gnn = pairs_Gnn + triples_Gnn
    mean_Gnn = np.divide(
        of_pair_Gnn + of_triple_Gnn, terms_Gnn, out=np.zeros_like(terms_Gnn), where=terms_Gnn > 0
    )
    return mean_Gnn.max((1, 2))


def bent(angle: float, sharpness: float) -> _Parameter:
    """Two neighbours at an angle."""

    def value(angles: _Angles) -> NDArray[np.float64]:
        return _gauss(sharpness * (angles.theta_Gnn[:, 0, 1] - angle))

    return value


def around(angle: float, sharpness: float, order: float, second: float | None = None) -> _Parameter:
    """Neighbours at an angle to the pole, evenly turned; with a second angle, the nearer counts.

    Args:
        angle: to the pole.
        sharpness: of the penalty on other angles.
        order: half of how many there are on a whole turn.
        second: another angle to the pole, for those beyond 0.6.
    """

    def value(angles: _Angles) -> NDArray[np.float64]:
        aim = angle if second is None else np.where(angles.theta_Gnn <= 0.6, angle, second)
        at_angle_Gnn = _gauss(sharpness * (angles.theta_Gnn - aim))
        evenly_Gnnn = np.cos(order * angles.phi_Gnnn) ** 2 * angles.turned_Gnnn
        return _best(
            at_angle_Gnn * angles.pair_nn,
            np.broadcast_to(angles.pair_nn, at_angle_Gnn.shape).astype(float),
            (evenly_Gnnn * at_angle_Gnn[:, :, None, :]).sum(-1),
            angles.turned_Gnnn.sum(-1),
        )

    return value


def with_south_pole(
    south: float,
    at_south: float,
    equator: float,
    order: float,
    within: float = np.inf,
    off_equator: float = 0.0,
) -> _Parameter:
    """Neighbours at the south pole and evenly turned on the equator, or this far off it.

    Args:
        south: angle to the pole from which on a neighbour counts as the south pole.
        at_south: sharpness of the penalty off the south pole.
        equator: of that off the equator.
        order: half of how many there are on a whole turn.
        within: φ, in fractions of π, from which on neighbours do not count.
        off_equator: where they should be, above or below it.
    """

    def value(angles: _Angles) -> NDArray[np.float64]:
        theta_Gnn = angles.theta_Gnn
        north_Gnn = theta_Gnn < south
        level_Gnn = _gauss(equator * (np.abs(theta_Gnn - 0.5) - off_equator)) * north_Gnn
        pole_Gnn = _gauss(at_south * (theta_Gnn - 1)) * ~north_Gnn
        counted_Gnnn = angles.turned_Gnnn & north_Gnn[..., None] & north_Gnn[:, :, None, :]
        counted_Gnnn = counted_Gnnn & (angles.phi_Gnnn < within * np.pi)
        evenly_Gnnn = np.cos(order * angles.phi_Gnnn) ** 2 * counted_Gnnn
        southern_Gnnn = angles.triple_Gnnn & ~north_Gnn[:, :, None, :]
        return _best(
            level_Gnn * angles.pair_nn,
            (north_Gnn & angles.pair_nn).astype(float),
            (evenly_Gnnn * level_Gnn[:, :, None, :]).sum(-1)
            + (southern_Gnnn * pole_Gnn[:, :, None, :]).sum(-1),
            (counted_Gnnn | southern_Gnnn).sum(-1),
        )

    return value


def body_centred(angles: _Angles) -> NDArray[np.float64]:
    """Eight neighbours as in a body-centred cube (Peters, J. Chem. Phys. 131 (2009) 244103).

    Of j and k only those with j before k count, so the value can depend on the order of equals.
    """
    south, at_south, weight = 2.5261129449194057 / np.pi, 15.0, 6.0
    theta_Gnn, n = angles.theta_Gnn, angles.theta_Gnn.shape[1]
    before_nn = np.triu(np.ones((n, n), dtype=bool), 1)
    pole_Gnn = weight * _gauss(at_south * (theta_Gnn - 1)) * (theta_Gnn >= south)
    offset_Gnn = (theta_Gnn - 0.5) * np.pi / np.arcsin(1 / 3)
    bulge_Gnn = offset_Gnn * _gauss(offset_Gnn) * np.exp(0.5)
    sign_Gnn = np.where(theta_Gnn > 0.5, 1.0, -1.0) * (theta_Gnn < south)
    threefold_Gnnn = np.cos(3 * angles.phi_Gnnn) * angles.turned_Gnnn * bulge_Gnn[:, :, None, :]
    total_G = ((pole_Gnn + sign_Gnn * threefold_Gnnn.sum(-1)) * before_nn).sum((1, 2))
    return total_G / (0.5 * n * (6 + (n - 2) * (n - 3)))


def cuboctahedral(angles: _Angles) -> NDArray[np.float64]:
    """Twelve neighbours as in face-centred cubic packing."""
    south, at_south, weight = 2.792526803190927 / np.pi, 28.75, 1.8
    low, high, equator, tropic = 75 / 180, 105 / 180, 25.5, 31.25
    theta_Gnn = angles.theta_Gnn
    pole_Gnn = (theta_Gnn >= south) & angles.pair_nn
    meridian_Gnn = (low < theta_Gnn) & (theta_Gnn < high)
    turn_Gnnn = 0.0556 * (np.cos(angles.phi_Gnnn - np.pi / 2) - 0.81649658)
    tropical_Gnnn, level_Gnnn = _gauss(turn_Gnnn), np.cos(angles.phi_Gnnn) ** 2
    usable_Gnnn = angles.turned_Gnnn & meridian_Gnn[..., None]
    total_Gnn, count_Gnn = np.zeros_like(theta_Gnn), np.zeros_like(theta_Gnn)
    for part_Gnn, aim, sharpness, turned_Gnnn in (
        (meridian_Gnn, 1 / 2, equator, level_Gnnn),
        (theta_Gnn < low, 1 / 3, tropic, tropical_Gnnn),
        ((theta_Gnn > high) & (theta_Gnn < south), 2 / 3, tropic, tropical_Gnnn),
    ):
        counted_Gnnn = usable_Gnnn & part_Gnn[:, :, None, :]
        at_angle_Gnn = _gauss(sharpness * (theta_Gnn - aim))
        total_Gnn += (counted_Gnnn * turned_Gnnn * at_angle_Gnn[:, :, None, :]).sum(-1)
        count_Gnn += counted_Gnnn.sum(-1)
    at_pole_Gnn = weight * _gauss(at_south * (theta_Gnn - 1)) * pole_Gnn
    return _best(at_pole_Gnn, weight * pole_Gnn, total_Gnn, count_Gnn)


def bond_order(degree: int) -> _Parameter:
    """Steinhardt's q of a degree (Phys. Rev. B 28 (1983) 784), by the addition theorem."""
    legendre = np.polynomial.Legendre.basis(degree)

    def value(angles: _Angles) -> NDArray[np.float64]:
        mean_G = legendre(np.cos(np.pi * angles.theta_Gnn)).mean((1, 2))
        return np.sqrt(mean_G.clip(min=0.0))

    return value


_TETRAHEDRAL = 0.6081734479693927
_THREE_QUARTERS = 0.75

PARAMETERS: Mapping[int, tuple[_Parameter, ...]] = {
    1: (lambda angles: np.ones(len(angles.theta_Gnn)),),  # a single bond
    2: (
        bent(0.5, 15.15),  # L-shaped
        bent(0.5802777777777778, 13.95),  # water-like
        bent(0.666666666667, 13.25),
        bent(0.833333333333333, 12.45),
        bent(1.0, 8.667),  # linear
    ),
    3: (
        around(0.66666666667, 17.5, 1.0),  # trigonal planar
        around(_TETRAHEDRAL, 18.33, 1.5),  # trigonal non-coplanar
        around(0.5, 15.5, 1.0),  # T-shaped
    ),
    4: (
        with_south_pole(_THREE_QUARTERS, 13.5, 17.7, 1.0),  # square co-planar
        around(_TETRAHEDRAL, 18.5, 1.5),  # tetrahedral
        with_south_pole(_THREE_QUARTERS, 11.5, 27.0, 2.0, within=0.75),  # rectangular see-saw-like
        with_south_pole(_THREE_QUARTERS, 12.75, 15.75, 1.5),  # see-saw-like
        around(0.5, 15.5, 1.5),  # trigonal pyramidal
    ),
    5: (
        around(0.4, 19.333, 1.0, second=0.8),  # pentagonal planar
        around(0.5, 14.9, 2.0),  # square pyramidal
        with_south_pole(_THREE_QUARTERS, 12.0, 16.6, 1.5),  # trigonal bipyramidal
    ),
    6: (
        with_south_pole(2.6179938779914944 / np.pi, 7.5, 25.0, 1.0, off_equator=0.16666667),
        with_south_pole(_THREE_QUARTERS, 15.0, 18.0, 2.0),  # octahedral
        around(0.5, 13.8, 2.5),  # pentagonal pyramidal
    ),
    7: (
        around(0.5, 12.5, 3.0),  # hexagonal pyramidal
        with_south_pole(_THREE_QUARTERS, 12.5, 14.75, 2.5),  # pentagonal bipyramidal
    ),
    8: (
        body_centred,
        with_south_pole(_THREE_QUARTERS, 14.1, 13.6, 3.0),  # hexagonal bipyramidal
    ),
    9: (bond_order(2), bond_order(4), bond_order(6)),
    10: (bond_order(2), bond_order(4), bond_order(6)),
    11: (bond_order(2), bond_order(4), bond_order(6)),
    12: (cuboctahedral, bond_order(2), bond_order(4), bond_order(6)),
}
"""The parameters of a shell, by its number of neighbours (matminer's target motifs, in order)."""


def order_parameters(unit_Gn3: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (G, number of PARAMETERS[n]) the order parameters of shells of n neighbours.

    Args:
        unit_Gn3: unit vectors to the neighbours.
    """
    G, n, _ = unit_Gn3.shape
    parameters = PARAMETERS[n]
    parts = np.array_split(unit_Gn3, max(1, -(-G * n**3 // _SHELLS_AT_ONCE)))
    return np.concatenate(
        [np.stack([f(angles) for f in parameters], 1) for angles in map(_Angles.of, parts)]
    )
