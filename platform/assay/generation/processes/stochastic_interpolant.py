"""Stochastic interpolant with a latent noise of its own, ODE and SDE samplers.

x_t = (1 - t) x_0 + t x_1 + γ(t) z with γ = √(a t (1 - t)), a > 0, x_0 coupled to x_1 by optimal
transport and z independent of both. The network predicts x̂_1 = E[x_1 | x_t] and ẑ = E[z | x_t];
then, since x̂_0 = (x_t - t x̂_1 - γ ẑ)/(1 - t),

    b = (x̂_1 - x_t)/(1 - t) + a ẑ/(2γ)        velocity
    s = -ẑ/γ                                   score
    dx = b dt                                  ODE
    dx = (b + ε s) dt + √(2ε) dW               SDE, here ε(t) = c γ(t)², which vanishes at the ends

Albergo, Boffi and Vanden-Eijnden, "Stochastic interpolants", JMLR 26 (2025), eq. 2.1, 2.31-2.34.

A Gaussian x_0 with γ = 0 would be flow matching; what sets this process apart is the latent noise,
its own head and the SDE. With `antithetic` the loss is averaged over the pair ±z of every record.
"""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes.coupling import align_noise
from assay.generation.processes.flow_matching import spaced_times
from assay.generation.processes.process import (
    GenerativeProcess,
    PathPoint,
    ProcessSettings,
    mean_free_noise,
)
from assay.training.draws import Draws

_END = 1e-3
"""Times closer than this to an end are left out: there b has an integrable singularity."""


class StochasticInterpolantSettings(ProcessSettings):
    """Strength a of the latent noise, sampler, and c of the SDE's ε(t) = c γ²."""

    latent_strength: PositiveFloat = 0.05
    antithetic: bool = False
    """Train on both ±z of every record: less variance, at twice the cost a record."""
    sampler: Literal["ode", "sde"] = "sde"
    sde_strength: float = Field(default=4.0, ge=0)
    spacing_power: PositiveFloat = 1.5

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        default = type(self).model_fields["sde_strength"].default
        if self.sampler == "ode" and self.sde_strength != default:
            raise ValueError("sde_strength belongs to sampler sde; the ode has none")
        return self


class StochasticInterpolant(GenerativeProcess):
    """Linear path with latent noise; the denoiser has a head for that noise."""

    Settings = StochasticInterpolantSettings
    heads = ("noise",)

    def __init__(self, settings: StochasticInterpolantSettings, type_prior_K: Tensor) -> None:
        super().__init__(settings, type_prior_K)
        self.latent_strength, self.antithetic = settings.latent_strength, settings.antithetic
        self.sampler, self.sde_strength = settings.sampler, settings.sde_strength
        self.spacing_power = settings.spacing_power

    def gamma(self, time: Tensor) -> Tensor:
        """Return γ(t) = √(a t (1 - t))."""
        return (self.latent_strength * time * (1 - time)).sqrt()

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return t and √((1 - t)² + γ²)."""
        return time, ((1 - time) ** 2 + self.gamma(time) ** 2).sqrt()

    def keep(self, time: Tensor) -> Tensor:
        """Return t: types follow the straight line between their laws."""
        return time

    def path(self, clean: Atoms, draws: Draws) -> PathPoint:
        """Return points at times from Beta(2, 1), without the outermost thousandths."""
        time_B = draws.uniform("time").sqrt().clamp(_END, 1 - _END)
        start_BN3 = mean_free_noise("noise", clean.mask_BN, draws)
        start_BN3 = align_noise(start_BN3, clean.positions_BN3, clean.mask_BN)
        latent_BN3 = mean_free_noise("latent", clean.mask_BN, draws)
        t_B11 = time_B[:, None, None]
        middle_BN3 = (1 - t_B11) * start_BN3 + t_B11 * clean.positions_BN3
        types_BN = self.corrupt_types(clean, time_B, draws)

        def at(latent_BN3: Tensor) -> PathPoint:
            moved = clean.moved(middle_BN3 + self.gamma(t_B11) * latent_BN3)
            atoms = Atoms(moved.positions_BN3, types_BN, clean.mask_BN)
            return PathPoint(clean, atoms, time_B, latent_BN3)

        return at(latent_BN3).joined(at(-latent_BN3)) if self.antithetic else at(latent_BN3)

    def times(self) -> Tensor:
        """Return times from `_END` to 1, finer near the data."""
        return spaced_times(self.steps, self.spacing_power, first=_END)

    def advance(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return positions after an Euler step of the ODE or an Euler-Maruyama step of the SDE."""
        latent_BN3 = clean.noise_BN3
        assert latent_BN3 is not None, "the denoiser was built without the noise head"
        gamma, step = self.gamma(now), then - now
        velocity_BN3 = (clean.positions_BN3 - atoms.positions_BN3) / (1 - now)
        velocity_BN3 = velocity_BN3 + self.latent_strength / (2 * gamma) * latent_BN3
        if self.sampler == "ode":
            return atoms.positions_BN3 + step * velocity_BN3
        epsilon = self.sde_strength * gamma**2
        drift_BN3 = velocity_BN3 - epsilon / gamma * latent_BN3
        fresh_BN3 = mean_free_noise("fresh", atoms.mask_BN, draws)
        return atoms.positions_BN3 + step * drift_BN3 + (2 * epsilon * step).sqrt() * fresh_BN3
