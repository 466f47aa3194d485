"""Flow matching along a path from coupled noise to data.

x_t = a(t) x_1 + b(t) x_0 with the velocity E[a' x_1 + b' x_0 | x_t]; on the straight line that is
(x̂_1 - x_t)/(1 - t). Lipman et al., "Flow matching for generative modeling", ICLR 2023; times from
Beta(2, 1) and the equivariant coupling as in Irwin et al., "SemlaFlow", AISTATS 2025.
"""

from dataclasses import replace
from typing import Literal

from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes import conversions
from assay.generation.processes.coupling import Coupling, couple
from assay.generation.processes.geometry import EUCLIDEAN, Geometry
from assay.generation.processes.paths import PATHS
from assay.generation.processes.process import (
    GenerativeProcess,
    Interval,
    PathPoint,
)
from assay.generation.processes.times import ContinuousTimeSettings
from assay.training.draws import Draws


class FlowMatchingSettings(ContinuousTimeSettings):
    """Path, coupling, times and solver of the ODE."""

    path: Literal["linear", "variance_preserving", "trigonometric"] = "linear"
    """Of the positions; types follow the straight line between their laws on any of them."""
    coupling: Coupling = "equivariant"
    """Of the noise to the molecule, by optimal transport over atoms, rotations or both."""


class FlowMatching(GenerativeProcess):
    """A path between coupled noise and data, and the ODE that follows it."""

    Settings = FlowMatchingSettings

    def __init__(
        self,
        settings: FlowMatchingSettings,
        type_prior_K: Tensor,
        geometry: Geometry = EUCLIDEAN,
    ) -> None:
        super().__init__(settings, type_prior_K, geometry)
        self.settings, self.positions_path = settings, PATHS[settings.path]

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and b of the path."""
        return self.positions_path.scales(time)

    def keep(self, time: Tensor) -> Tensor:
        """Return t: types follow the straight line between their laws."""
        return time

    def training_times(self, draws: Draws) -> Tensor:
        """Return times from a Beta distribution."""
        return self.settings.training_times(draws.uniform("time"))

    def point(self, clean: Atoms, time_B: Tensor, draws: Draws) -> PathPoint:
        """Return points between coupled noise and data."""
        geometry, mask_BN = self.geometry, clean.mask_BN
        base_BS3 = geometry.base("noise", mask_BN, draws)
        base_BS3 = couple(self.coupling, base_BS3, clean, self.types_given)
        end_BS3 = geometry.near(geometry.state(clean), base_BS3, mask_BN)
        clean = geometry.image(clean, end_BS3)
        a_B11, b_B11 = self.signal_and_noise(time_B[:, None, None])
        here_BS3 = b_B11 * base_BS3 + a_B11 * end_BS3
        moved = geometry.at(here_BS3, clean)
        types_BN = self.corrupt_types(clean, time_B, draws)
        end_BS3 = geometry.end_of(end_BS3 - here_BS3, moved)
        return PathPoint(clean, replace(moved, types_BN=types_BN), time_B, end_BS3=end_BS3)

    def times(self) -> Tensor:
        """Return the sampler's times, from 0 to 1."""
        return self.settings.sampling_times()

    def velocity(self, atoms: Atoms, clean: Prediction, time: Tensor) -> Tensor:
        """Return E[a' x_1 + b' x_0 | x_t]."""
        return conversions.velocity(self.positions_path, time, *self.seen(atoms, clean))

    def advance(self, interval: Interval) -> Tensor:
        """Return the state after a step of the ODE's solver."""
        return self.follow_flow(interval)
