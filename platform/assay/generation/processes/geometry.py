"""What processes must know of a space: its noise, and how to go from one point to another.

Everything continuous of a system is one tensor, its *state*: of a molecule the positions (N rows
of three numbers), of a crystal the fractional coordinates and, as two rows more, the standardised
cell. A path, a velocity and a solver's step are then the same in both. On a torus x_1 - x_0 has a
meaning for near points only, so a point is first taken `near` another: to the image by the short
way. Coordinates and cell may have scales of their own: `by_row` puts each beside its rows.

Shapes: B systems, N atoms (padded), S rows of a state.
"""

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from assay.chemistry import lattices
from assay.generation.denoiser import Atoms, Prediction, mean_free
from assay.training.draws import Draws

UNIFORM_SPREAD = 12**-0.5
"""Standard deviation of a coordinate's difference to a uniform one, by the short way."""
_CELL_ROWS = 2


class Geometry(ABC):
    """How states of a space are drawn, compared and moved."""

    @abstractmethod
    def state(self, atoms: Atoms) -> Tensor:
        """Return the state (B, S, 3)."""

    @abstractmethod
    def at(self, state_BS3: Tensor, atoms: Atoms) -> Atoms:
        """Return the atoms in another state, in canonical form and with clean padding."""

    @abstractmethod
    def raw(self, output: Prediction, mask_BN: Tensor) -> Tensor:
        """Return a network's raw output (B, S, 3), without what no system can show."""

    @abstractmethod
    def end(self, prediction: Prediction, atoms: Atoms) -> Tensor:
        """Return the clean state (B, S, 3) that was predicted from `atoms`, next to theirs."""

    @abstractmethod
    def latent(self, prediction: Prediction) -> Tensor:
        """Return the predicted latent noise (B, S, 3)."""

    @abstractmethod
    def noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return standard normal noise (B, S, 3) that leaves the whole where it is."""

    @abstractmethod
    def free_noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return the same of crystals without that restriction."""

    @abstractmethod
    def base(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return the states (B, S, 3) that a path may begin with."""

    @abstractmethod
    def near(self, state_BS3: Tensor, other_BS3: Tensor, mask_BN: Tensor) -> Tensor:
        """Return the image of a state that is next to another, the whole not being moved."""

    @abstractmethod
    def image(self, clean: Atoms, end_BS3: Tensor) -> Atoms:
        """Return the clean system in the state that `near` has found for it."""

    @abstractmethod
    def end_of(self, way_BS3: Tensor, atoms: Atoms) -> Tensor | None:
        """Return the state (B, S, 3) that lies a way from `atoms`; None where positions say it."""

    @abstractmethod
    def rows(self, mask_BN: Tensor) -> Tensor:
        """Return bool (B, S): which rows of a state are no padding."""

    @abstractmethod
    def by_row(self, torus: Tensor, plain: Tensor, mask_BN: Tensor) -> Tensor:
        """Return scales that broadcast against a state: `torus` of coordinates on one."""


class Euclidean(Geometry):
    """Molecules: positions of zero mean."""

    def state(self, atoms: Atoms) -> Tensor:
        """Return the positions."""
        return atoms.positions_BN3

    def at(self, state_BS3: Tensor, atoms: Atoms) -> Atoms:
        """Return the same atoms elsewhere, mean-free."""
        return atoms.moved(state_BS3)

    def raw(self, output: Prediction, mask_BN: Tensor) -> Tensor:
        """Return what is said of positions."""
        return output.positions_BN3.float()

    def end(self, prediction: Prediction, atoms: Atoms) -> Tensor:
        """Return the positions."""
        return prediction.positions_BN3

    def latent(self, prediction: Prediction) -> Tensor:
        """Return the noise head."""
        assert prediction.noise_BN3 is not None, "the denoiser was built without the noise head"
        return prediction.noise_BN3

    def noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return mean-free normal noise."""
        return mean_free(draws.normal(name, mask_BN.shape[1], 3), mask_BN)

    def free_noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return mean-free normal noise."""
        return self.noise(name, mask_BN, draws)

    def base(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return noise: the base is a Gaussian."""
        return self.noise(name, mask_BN, draws)

    def near(self, state_BS3: Tensor, other_BS3: Tensor, mask_BN: Tensor) -> Tensor:
        """Return it as it is."""
        return state_BS3

    def image(self, clean: Atoms, end_BS3: Tensor) -> Atoms:
        """Return it as it is."""
        return clean

    def end_of(self, way_BS3: Tensor, atoms: Atoms) -> Tensor | None:
        """Return None: the clean system itself."""
        return None

    def rows(self, mask_BN: Tensor) -> Tensor:
        """Return the mask of atoms."""
        return mask_BN

    def by_row(self, torus: Tensor, plain: Tensor, mask_BN: Tensor) -> Tensor:
        """Return `plain`: there is no torus."""
        return plain


class Periodic(Geometry):
    """Crystals: coordinates on a torus, and a cell in a Euclidean space of six dimensions."""

    def state(self, atoms: Atoms) -> Tensor:
        """Return coordinates and cell."""
        assert atoms.cell_B6 is not None, "a crystal has a cell"
        return joined(atoms.positions_BN3, atoms.cell_B6)

    def at(self, state_BS3: Tensor, atoms: Atoms) -> Atoms:
        """Return the same atoms elsewhere in another cell, coordinates in [0, 1)."""
        positions_BN3, cell_B6 = parted(state_BS3)
        inside_BN3 = lattices.wrapped(positions_BN3) * atoms.mask_BN.unsqueeze(-1)
        return replace(atoms, positions_BN3=inside_BN3, cell_B6=cell_B6)

    def raw(self, output: Prediction, mask_BN: Tensor) -> Tensor:
        """Return what is said of coordinates, mean-free, and of the cell."""
        assert output.cell_B6 is not None, "a crystal's prediction has a cell"
        return joined(mean_free(output.positions_BN3.float(), mask_BN), output.cell_B6.float())

    def end(self, prediction: Prediction, atoms: Atoms) -> Tensor:
        """Return the coordinates at the end of the predicted way, and the cell."""
        assert prediction.way_BN3 is not None, "a crystal's prediction has a way"
        assert prediction.cell_B6 is not None, "a crystal's prediction has a cell"
        return joined(atoms.positions_BN3 + prediction.way_BN3, prediction.cell_B6)

    def latent(self, prediction: Prediction) -> Tensor:
        """Return the noise heads of both."""
        noise, cell_noise = prediction.noise_BN3, prediction.cell_noise_B6
        assert noise is not None, "the denoiser was built without the noise head"
        assert cell_noise is not None, "the denoiser was built without the noise head"
        return joined(noise, cell_noise)

    def noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return normal noise, of the coordinates mean-free."""
        coordinates_BN3 = mean_free(draws.normal(name, mask_BN.shape[1], 3), mask_BN)
        return joined(coordinates_BN3, draws.normal(f"{name} of the cell", 6))

    def free_noise(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return normal noise of coordinates, each independent of the others, and of the cell."""
        coordinates_BN3 = draws.normal(name, mask_BN.shape[1], 3) * mask_BN.unsqueeze(-1)
        return joined(coordinates_BN3, draws.normal(f"{name} of the cell", 6))

    def base(self, name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return uniform coordinates and a normal cell."""
        uniform_BN3 = draws.uniform(name, mask_BN.shape[1], 3) * mask_BN.unsqueeze(-1)
        return joined(uniform_BN3, draws.normal(f"{name} of the cell", 6))

    def near(self, state_BS3: Tensor, other_BS3: Tensor, mask_BN: Tensor) -> Tensor:
        """Return coordinates by the short way, without the drift of the whole; the cell as it is.

        To move all atoms alike changes no crystal, and no network that cannot see such a move could
        learn it: Miller et al., "FlowMM", ICML 2024, section 3.2.
        """
        positions_BN3, cell_B6 = parted(state_BS3)
        here_BN3, _ = parted(other_BS3)
        way_BN3 = lattices.torus_difference(positions_BN3 - here_BN3)
        return joined(here_BN3 + mean_free(way_BN3, mask_BN), cell_B6)

    def image(self, clean: Atoms, end_BS3: Tensor) -> Atoms:
        """Return the crystal, moved as a whole and wrapped."""
        return self.at(end_BS3, clean)

    def end_of(self, way_BS3: Tensor, atoms: Atoms) -> Tensor | None:
        """Return it, not wrapped."""
        return self.state(atoms) + way_BS3

    def rows(self, mask_BN: Tensor) -> Tensor:
        """Return the mask of atoms, and two rows for the cell."""
        return torch.nn.functional.pad(mask_BN, (0, _CELL_ROWS), value=True)

    def by_row(self, torus: Tensor, plain: Tensor, mask_BN: Tensor) -> Tensor:
        """Return (B or 1, S, 1) `torus` for N rows, then `plain` for those of the cell."""
        N = mask_BN.shape[1]
        of_coordinates, of_cell = torus.reshape(-1, 1, 1), plain.reshape(-1, 1, 1)
        return torch.cat(
            [of_coordinates.expand(-1, N, 1), of_cell.expand(-1, _CELL_ROWS, 1)], dim=1
        )


EUCLIDEAN, PERIODIC = Euclidean(), Periodic()
"""They have no state."""


def joined(positions_BN3: Tensor, cell_B6: Tensor) -> Tensor:
    """Return the state (B, N + 2, 3) of a crystal."""
    return torch.cat([positions_BN3, cell_B6.unflatten(1, (_CELL_ROWS, 3))], dim=1)


def parted(state_BS3: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coordinates (B, N, 3) and the cell (B, 6) of a crystal's state."""
    return state_BS3[:, :-_CELL_ROWS], state_BS3[:, -_CELL_ROWS:].flatten(1)


def wrapped_normal_step(away: Tensor, sigma: Tensor) -> Tensor:
    """Return σ² ∇ log p of a wrapped normal: the mean way back from a point that noise has moved.

    Args:
        away: From the point to where it was, by the short way, any shape.
        sigma: Of the noise, in fractions; broadcasts.
    """
    images = torch.arange(-3, 4, device=away.device, dtype=away.dtype)
    ways = away.unsqueeze(-1) + images
    weights = (-0.5 * (ways / sigma.unsqueeze(-1)).square()).softmax(-1)
    return (weights * ways).sum(-1)


def wrapped_normal_spread(sigma: Tensor) -> Tensor:
    """Return the root mean square of `wrapped_normal_step` for each σ, by quadrature.

    It is σ for small σ, and vanishes for large ones, where noise leaves nothing to tell.
    """
    levels = (torch.arange(_QUANTILES, device=sigma.device, dtype=sigma.dtype) + 0.5) / _QUANTILES
    normal = torch.special.ndtri(levels)
    away = lattices.torus_difference(sigma.unsqueeze(-1) * normal)
    return wrapped_normal_step(away, sigma.unsqueeze(-1)).square().mean(-1).sqrt()


_QUANTILES = 256
