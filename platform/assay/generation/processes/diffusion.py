"""Variance-preserving diffusion in T discrete steps: schedules, targets, DDPM, DDIM and the ODE.

x_t = a x_1 + s ε, a² + s² = 1, with noise that is independent of the molecule: every sampler here
rests on that. Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021;
Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021. Types diffuse towards their
marginal (D3PM: Austin et al., NeurIPS 2021; Vignac et al., "MiDi", 2023). Time runs from noise (0)
to data (1): the usual step index is T (1 - t).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from assay.chemistry.lattices import torus_difference
from assay.generation.denoiser import Atoms, Prediction, mean_free
from assay.generation.processes import conversions, samplers
from assay.generation.processes.conversions import Target
from assay.generation.processes.geometry import (
    EUCLIDEAN,
    Geometry,
    joined,
    parted,
    wrapped_normal_spread,
    wrapped_normal_step,
)
from assay.generation.processes.paths import Cosine, Exploding, Path, Polynomial, VariancePreserving
from assay.generation.processes.process import (
    GenerativeProcess,
    Interval,
    PathPoint,
    ProcessSettings,
    belongs_to,
)
from assay.training.draws import Draws

Schedule = Literal["cosine", "linear", "polynomial", "adaptive"]


class DiffusionSettings(ProcessSettings):
    """Number of noise levels T, schedule, target and sampler."""

    of_sampling: ClassVar[frozenset[str]] = ProcessSettings.of_sampling | {"sampler", "eta"}
    levels: PositiveInt = 500
    schedule: Schedule = "cosine"
    """How a falls from level to level; `linear` is a linear β, `adaptive` a cosine by which
    positions settle before types."""
    polynomial_power: PositiveFloat = 2.0
    """k of the polynomial schedule a = 1 - u^k, u = 1 - t."""
    adaptive_exponent: PositiveFloat = 2.5
    """ν of the positions in the adaptive schedule; that of types is 1."""
    target: Target = "velocity"
    """What the network's raw output stands for and what the loss is measured on."""
    sampler: Literal["ddpm", "ddim", "ode"] = "ddpm"
    """Ancestral, implicit, or the probability flow by `solver`."""
    eta: float = Field(default=0.0, ge=0, le=1)
    """η of DDIM: 0 is deterministic, 1 as noisy as DDPM."""

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.sampler != "ddim":
            belongs_to(self, "sampler ddim", "eta")
        if self.sampler != "ode":
            belongs_to(self, "sampler ode", "solver")
        if self.schedule != "polynomial":
            belongs_to(self, "schedule polynomial", "polynomial_power")
        if self.schedule != "adaptive":
            belongs_to(self, "schedule adaptive", "adaptive_exponent")
        if self.target == "data":  # its weight is 1 at every level
            belongs_to(self, "targets noise and velocity", "max_weight")
        if self.steps > self.levels:
            raise ValueError(f"steps {self.steps} exceed the {self.levels} levels of noise")
        return self


SCHEDULES: Mapping[Schedule, Callable[[DiffusionSettings], tuple[Path, Path]]] = {
    "cosine": lambda settings: (Cosine(), Cosine()),
    "linear": lambda settings: (VariancePreserving(), VariancePreserving()),
    "polynomial": lambda settings: (
        Polynomial(settings.polynomial_power),
        Polynomial(settings.polynomial_power),
    ),
    "adaptive": lambda settings: (Cosine(settings.adaptive_exponent), Cosine()),
}
"""The paths of positions and of types."""


class Diffusion(GenerativeProcess):
    """A sampler may visit any subsequence of the T levels."""

    Settings = DiffusionSettings

    torus_path = Exploding()
    """Of the coordinates of crystals; their cells follow the schedule."""

    def __init__(
        self, settings: DiffusionSettings, type_prior_K: Tensor, geometry: Geometry = EUCLIDEAN
    ) -> None:
        super().__init__(settings, type_prior_K, geometry)
        self.settings, self.target = settings, settings.target
        self.positions_path, self.types_path = SCHEDULES[settings.schedule](settings)

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and s of the positions' schedule."""
        return self.positions_path.scales(time)

    def keep(self, time: Tensor) -> Tensor:
        """Return a² of the types' schedule, the share of the signal's variance, ending at 1."""
        end = self.types_path.scales(torch.ones((), dtype=torch.float64))[0].item()
        return self.types_path.scales(time)[0] ** 2 / end**2

    def training_times(self, draws: Draws) -> Tensor:
        """Return the times of levels drawn uniformly from 1 … T."""
        levels = self.settings.levels
        level_B = (draws.uniform("time") * levels).floor() + 1
        return 1 - level_B / levels

    def point(self, clean: Atoms, time_B: Tensor, draws: Draws) -> PathPoint:
        """Return points with noise of their own."""
        geometry, mask_BN = self.geometry, clean.mask_BN
        a_BS1, s_BS1 = self._scales(time_B[:, None, None], clean)
        noise_BS3 = geometry.free_noise("noise", mask_BN, draws)
        here_BS3 = a_BS1 * geometry.state(clean) + s_BS1 * noise_BS3
        moved = geometry.at(here_BS3, clean)
        types_BN = self.corrupt_types(clean, time_B, draws)
        end_BS3 = self._told(clean, moved, time_B)
        return PathPoint(clean, replace(moved, types_BN=types_BN), time_B, end_BS3=end_BS3)

    def times(self) -> Tensor:
        """Return an even subsequence of the levels T … 0; of the ODE, T … 1, and 0.

        So its last leap, to what the network predicts, is as short as it can be: Karras et al.
        (2022), algorithm 1.
        """
        most = self.settings.levels
        if self.settings.sampler == "ode":
            levels = torch.linspace(most, 1, self.steps, dtype=torch.float64)
            levels = torch.cat([levels, torch.zeros(1, dtype=torch.float64)])
        else:
            levels = torch.linspace(most, 0, self.steps + 1, dtype=torch.float64)
        return (1 - levels.round() / most).float()

    def jump_types(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return types from q(c_then | c_now, ĉ), averaged over the predicted types ĉ.

        With step retention r = κ(now)/κ(then) and prior m, the posterior is proportional to
        (r δ(c_now, c) + (1 - r) m(c_now)) · (κ(then) p̂(c) + (1 - κ(then)) m(c)), summed per
        predicted type with its own normaliser (Austin et al., 2021, eq. 3-4).
        """
        K = len(self.type_prior_K)
        m_K = self.type_prior_K.to(atoms.positions_BN3)
        kept_then, retained = self.keep(then), self.keep(now) / self.keep(then)
        now_BNK = torch.nn.functional.one_hot(atoms.types_BN, K).to(m_K)
        m_now_BN1 = m_K[atoms.types_BN].unsqueeze(-1)
        likelihood_BNK = retained * now_BNK + (1 - retained) * m_now_BN1
        # q(c_now | ĉ) = κ(now) δ(c_now, ĉ) + (1 - κ(now)) m(c_now) normalises each ĉ.
        evidence_BNK = self.keep(now) * now_BNK + (1 - self.keep(now)) * m_now_BN1
        scaled_BNK = clean.type_logits_BNK.softmax(-1) / evidence_BNK
        mixture_BNK = kept_then * scaled_BNK + (1 - kept_then) * m_K * scaled_BNK.sum(
            -1, keepdim=True
        )
        return draws.categorical("type", likelihood_BNK * mixture_BNK) * atoms.mask_BN

    def velocity(self, atoms: Atoms, clean: Prediction, time: Tensor) -> Tensor:
        """Return a' x̂ + s' ε̂, the velocity of the probability flow."""
        here_BS3, end_BS3 = self.seen(atoms, clean)
        if atoms.cell_B6 is None:
            return conversions.velocity(self.positions_path, time, here_BS3, end_BS3)
        (here_BN3, here_B6), (end_BN3, end_B6) = parted(here_BS3), parted(end_BS3)
        return joined(
            conversions.velocity(self.torus_path, time, here_BN3, end_BN3),
            conversions.velocity(self.positions_path, time, here_B6, end_B6),
        )

    def advance(self, interval: Interval) -> Tensor:
        """Return the state by ancestral sampling, the implicit update or the probability flow."""
        if self.settings.sampler == "ode":
            return self.follow_flow(interval)
        atoms = interval.atoms
        fresh_BS3 = self.geometry.noise("fresh", atoms.mask_BN, interval.draws)
        here_BS3, end_BS3 = self.seen(atoms, interval.clean)
        scales = (self._scales(time, atoms) for time in (interval.now, interval.then))
        if self.settings.sampler == "ddpm":
            return samplers.ddpm(here_BS3, end_BS3, *scales, fresh=fresh_BS3)
        return samplers.ddim(here_BS3, end_BS3, *scales, eta=self.settings.eta, fresh=fresh_BS3)

    def torus_spread(self, time: Tensor) -> Tensor:
        """Return that of the mean way back to the data."""
        return wrapped_normal_spread(self.torus_path.scales(time)[1])

    def _scales(self, time: Tensor, atoms: Atoms) -> tuple[Tensor, Tensor]:
        """Return a and s of every row of a state."""
        whole = zip(self.torus_path.scales(time), self.positions_path.scales(time), strict=True)
        a, s = (self.geometry.by_row(*pair, atoms.mask_BN) for pair in whole)
        return a, s

    def _told(self, clean: Atoms, here: Atoms, time_B: Tensor) -> Tensor | None:
        """Return what is to be predicted of crystals: of coordinates, the mean way back.

        Its mean over all data is what the score asks for (denoising score matching on the torus:
        Jing et al., "Torsional diffusion", NeurIPS 2022, section 3.2), and near the data the data.
        The score does not move the whole, so that part of the way is left out.
        """
        if clean.cell_B6 is None:
            return None
        sigma_B11 = self.torus_path.scales(time_B[:, None, None])[1]
        away_BN3 = torus_difference(clean.positions_BN3 - here.positions_BN3)
        way_BN3 = mean_free(wrapped_normal_step(away_BN3, sigma_B11), clean.mask_BN)
        return joined(here.positions_BN3 + way_BN3, clean.cell_B6)
