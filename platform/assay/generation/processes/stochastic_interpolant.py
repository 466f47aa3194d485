"""Stochastic interpolants: a path with latent noise of its own, ODE and SDE samplers.

    two-sided   x_t = a x_1 + b x_0 + γ z     x_0 coupled to x_1, z independent of both
    one-sided   x_t = a x_1 + √(b² + γ²) z    z independent of x_1: x_0 and z are one Gaussian

The network predicts x̂_1 = E[x_1 | x_t] and, where z is apart from the base, ẑ = E[z | x_t]. Then,
since x̂_0 = (x_t - a x̂_1 - γ ẑ)/b,

    v = a' x̂_1 + b' x̂_0 + γ' ẑ                velocity
    s = -ẑ/γ, or -ẑ/√(b² + γ²) one-sided       score
    dx = v dt                                  ODE
    dx = (v + ε s) dt + √(2ε) dW               SDE, for any ε(t) ≥ 0

Albergo, Boffi and Vanden-Eijnden, "Stochastic interpolants", JMLR 26 (2025), eq. 2.1, 2.31-2.34.

A Gaussian x_0 with γ = 0 is flow matching; what sets this process apart is the latent noise, its
own head and the SDE. With `antithetic` the loss is averaged over the pair ±z of every record.
"""

from dataclasses import replace
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes import conversions, samplers
from assay.generation.processes.coupling import Coupling, couple
from assay.generation.processes.geometry import EUCLIDEAN, UNIFORM_SPREAD, Geometry
from assay.generation.processes.latents import LATENTS, Folded
from assay.generation.processes.paths import PATHS
from assay.generation.processes.process import (
    GenerativeProcess,
    Interval,
    PathPoint,
    belongs_to,
)
from assay.generation.processes.times import ContinuousTimeSettings
from assay.training.draws import Draws

_END = 1e-3
"""With a latent noise, times closer than this to an end are left out: there v is singular."""


class StochasticInterpolantSettings(ContinuousTimeSettings):
    """Path, latent noise, coupling, sampler, and the strength of the SDE."""

    of_sampling: ClassVar[frozenset[str]] = ContinuousTimeSettings.of_sampling | {
        "sampler",
        "epsilon",
        "sde_strength",
    }
    path: Literal["linear", "trigonometric", "encoder_decoder"] = "linear"
    """Of the positions; types follow the straight line between their laws on any of them."""
    gamma: Literal["brownian", "quadratic", "sine_squared", "none"] = "brownian"
    """γ(t) = √(c t (1 - t)), √c t (1 - t), √c sin²(πt), or 0."""
    latent_strength: PositiveFloat = 0.05
    """c in γ(t)."""
    interpolant: Literal["one_sided", "two_sided"] = "two_sided"
    """Whether base and latent noise are one Gaussian, independent of the data, or two."""
    coupling: Coupling = "equivariant"
    """Of the base to the molecule, by optimal transport over atoms, rotations or both."""
    antithetic: bool = False
    """Train on both ±z of every record: less variance, at twice the cost a record."""
    sampler: Literal["ode", "sde"] = "sde"
    """The ODE by `solver`, or Euler-Maruyama steps of the SDE."""
    epsilon: Literal["latent_variance", "linear", "constant"] = "latent_variance"
    """ε(t) of the SDE: c times the variance of z's part in x_t, c (1 - t), or c. The score of sharp
    data grows beyond bounds near t = 1, so the last two need a small c."""
    sde_strength: float = Field(default=4.0, ge=0)
    """c in ε(t)."""

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.sampler == "ode":
            belongs_to(self, "sampler sde", "sde_strength", "epsilon")
        else:
            belongs_to(self, "sampler ode", "solver")
        if self.gamma == "none":
            belongs_to(self, "a gamma other than none", "latent_strength")
        if self.gamma == "none" or self.interpolant == "one_sided":
            belongs_to(self, "a latent noise apart from the base", "antithetic")
        return self

    @model_validator(mode="after")
    def _interpolant_makes_sense(self) -> Self:
        if self.interpolant == "one_sided" and self.coupling != "independent":
            raise ValueError(
                "interpolant one_sided has a Gaussian that is independent of the data: "
                "it needs coupling independent"
            )
        if self.path == "encoder_decoder":
            if self.coupling != "independent":
                raise ValueError(
                    "path encoder_decoder never mixes base and data: it needs coupling independent"
                )
            if self.gamma == "none":
                raise ValueError(
                    "path encoder_decoder is latent noise alone at t = 1/2: it needs a gamma"
                )
        if self.gamma == "none" and self.interpolant == "two_sided" and self.sampler == "sde":
            raise ValueError(
                "without gamma a two_sided interpolant has no score for the sde: use sampler ode "
                "or interpolant one_sided"
            )
        return self


class StochasticInterpolant(GenerativeProcess):
    """A path with latent noise; the denoiser has a head for it unless the base takes it in."""

    Settings = StochasticInterpolantSettings

    def __init__(
        self,
        settings: StochasticInterpolantSettings,
        type_prior_K: Tensor,
        geometry: Geometry = EUCLIDEAN,
    ) -> None:
        super().__init__(settings, type_prior_K, geometry)
        self.settings, self.positions_path, self.latent = settings, PATHS[settings.path], None
        self.first = 0.0
        if settings.gamma != "none":
            self.latent = LATENTS[settings.gamma](settings.latent_strength)
            self.first = _END
        if self.latent and settings.interpolant == "one_sided":
            self.positions_path = Folded(self.positions_path, self.latent)
            self.latent = None
        self.heads = ("noise",) if self.latent else ()

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and √(b² + γ²)."""
        whole = self.positions_path
        return (Folded(whole, self.latent) if self.latent else whole).scales(time)

    def torus_spread(self, time: Tensor) -> Tensor:
        """Return √(b² u² + γ²), u being the spread of a uniform coordinate."""
        _, b = self.positions_path.scales(time)
        spread = UNIFORM_SPREAD * b
        return spread if self.latent is None else spread.hypot(self.latent.gamma(time))

    def keep(self, time: Tensor) -> Tensor:
        """Return t: types follow the straight line between their laws."""
        return time

    def training_times(self, draws: Draws) -> Tensor:
        """Return times from a Beta distribution, without the outermost thousandths."""
        time_B = self.settings.training_times(draws.uniform("time"))
        return time_B.clamp(self.first, 1 - self.first)

    def point(self, clean: Atoms, time_B: Tensor, draws: Draws) -> PathPoint:
        """Return points between coupled base and data, with latent noise; or pairs of ±z."""
        geometry, mask_BN = self.geometry, clean.mask_BN
        base_BS3 = geometry.base("noise", mask_BN, draws)
        base_BS3 = couple(self.coupling, base_BS3, clean, self.types_given)
        end_BS3 = geometry.near(geometry.state(clean), base_BS3, mask_BN)
        clean = geometry.image(clean, end_BS3)
        t_B11 = time_B[:, None, None]
        a_B11, b_B11 = self.positions_path.scales(t_B11)
        middle_BS3 = b_B11 * base_BS3 + a_B11 * end_BS3
        types_BN = self.corrupt_types(clean, time_B, draws)
        if self.latent is None:
            moved = geometry.at(middle_BS3, clean)
            last_BS3 = geometry.end_of(end_BS3 - middle_BS3, moved)
            return PathPoint(clean, replace(moved, types_BN=types_BN), time_B, end_BS3=last_BS3)
        gamma_B11 = self.latent.gamma(t_B11)
        latent_BS3 = geometry.noise("latent", mask_BN, draws)

        def at(latent_BS3: Tensor) -> PathPoint:
            here_BS3 = middle_BS3 + gamma_B11 * latent_BS3
            moved = geometry.at(here_BS3, clean)
            last_BS3 = geometry.end_of(end_BS3 - here_BS3, moved)
            moved = replace(moved, types_BN=types_BN)
            return PathPoint(clean, moved, time_B, latent_BS3, last_BS3)

        pair = self.settings.antithetic
        return at(latent_BS3).joined(at(-latent_BS3)) if pair else at(latent_BS3)

    def times(self) -> Tensor:
        """Return the sampler's times, to 1; from `_END` where there is latent noise."""
        return self.settings.sampling_times(self.first)

    def velocity(self, atoms: Atoms, clean: Prediction, time: Tensor) -> Tensor:
        """Return E[a' x_1 + b' x_0 + γ' z | x_t]."""
        path = self.positions_path
        velocity_BS3 = conversions.velocity(path, time, *self.seen(atoms, clean))
        if self.latent is None:
            return velocity_BS3
        return velocity_BS3 + self.latent.drift(time, path) * self.geometry.latent(clean)

    def latent_estimate(
        self, atoms: Atoms, clean: Prediction, time: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return ẑ (B, S, 3) and the scale of z in x_t: the score is minus their quotient."""
        if self.latent is not None:
            return self.geometry.latent(clean), self.latent.gamma(time)
        a, s = self.positions_path.scales(time)
        return conversions.noise(*self.seen(atoms, clean), a, s), s

    def advance(self, interval: Interval) -> Tensor:
        """Return the state after a step of the ODE's solver, or an Euler-Maruyama step."""
        if self.settings.sampler == "ode":
            return self.follow_flow(interval)
        atoms, clean, now = interval.atoms, interval.clean, interval.now
        latent_BS3, scale = self.latent_estimate(atoms, clean, now)
        return samplers.euler_maruyama(
            self.geometry.state(atoms),
            self.velocity(atoms, clean, now),
            latent_BS3,
            scale,
            self._epsilon(now, scale),
            interval.then - now,
            self.geometry.noise("fresh", atoms.mask_BN, interval.draws),
        )

    def _epsilon(self, time: Tensor, scale: Tensor) -> Tensor:
        families = {
            "latent_variance": scale**2,
            "linear": 1 - time,
            "constant": time**0,
        }
        return self.settings.sde_strength * families[self.settings.epsilon]
