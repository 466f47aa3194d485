"""Flow matching along straight lines from coupled noise to data.

x_t = (1 - t) x_0 + t x_1 with velocity x_1 - x_0 = (x_1 - x_t)/(1 - t). Lipman et al., "Flow
matching for generative modeling", ICLR 2023; times from Beta(2, 1) and the equivariant coupling as
in Irwin et al., "SemlaFlow", AISTATS 2025.
"""

import torch
from pydantic import PositiveFloat
from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes.coupling import align_noise
from assay.generation.processes.process import (
    GenerativeProcess,
    PathPoint,
    ProcessSettings,
    mean_free_noise,
)
from assay.training.draws import Draws


class FlowMatchingSettings(ProcessSettings):
    """The sampler's steps are finer near the data as `spacing_power` grows; 1 is uniform."""

    spacing_power: PositiveFloat = 1.5


class FlowMatching(GenerativeProcess):
    """Linear path, optimal-transport coupling, Euler steps of the ODE."""

    Settings = FlowMatchingSettings

    def __init__(self, settings: FlowMatchingSettings, type_prior_K: Tensor) -> None:
        super().__init__(settings, type_prior_K)
        self.spacing_power = settings.spacing_power

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return t and 1 - t."""
        return time, 1 - time

    def keep(self, time: Tensor) -> Tensor:
        """Return t: types follow the straight line between their laws."""
        return time

    def path(self, clean: Atoms, draws: Draws) -> PathPoint:
        """Return points at times from Beta(2, 1), whose quantile function is the square root."""
        time_B = draws.uniform("time").sqrt()
        noise_BN3 = mean_free_noise("noise", clean.mask_BN, draws)
        noise_BN3 = align_noise(noise_BN3, clean.positions_BN3, clean.mask_BN)
        t_B11 = time_B[:, None, None]
        moved = clean.moved((1 - t_B11) * noise_BN3 + t_B11 * clean.positions_BN3)
        types_BN = self.corrupt_types(clean, time_B, draws)
        return PathPoint(clean, Atoms(moved.positions_BN3, types_BN, clean.mask_BN), time_B)

    def times(self) -> Tensor:
        """Return 1 - (1 - k/steps)^spacing_power."""
        return spaced_times(self.steps, self.spacing_power)

    def advance(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return x_t + Δt v."""
        velocity_BN3 = (clean.positions_BN3 - atoms.positions_BN3) / (1 - now)
        return atoms.positions_BN3 + (then - now) * velocity_BN3


def spaced_times(steps: int, power: float, first: float = 0.0) -> Tensor:
    """Return (steps + 1,) times from `first` to 1, finer near 1 as `power` grows."""
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return (first + (1 - first) * (1 - (1 - u) ** power)).float()
