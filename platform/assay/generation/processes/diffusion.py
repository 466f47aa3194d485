"""Variance-preserving diffusion with a cosine schedule in T discrete steps, DDPM and DDIM samplers.

x_t = a x_1 + s ε, a² + s² = 1. Nichol and Dhariwal, "Improved denoising diffusion probabilistic
models", ICML 2021; Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021. Types
diffuse towards their marginal (D3PM: Austin et al., NeurIPS 2021; Vignac et al., "MiDi", 2023).
Time runs from noise (0) to data (1): the usual step index is T (1 - t).
"""

import math
from typing import Literal, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from assay.generation.denoiser import Atoms, Prediction
from assay.generation.processes.process import (
    GenerativeProcess,
    PathPoint,
    ProcessSettings,
    mean_free_noise,
)
from assay.training.draws import Draws


class DiffusionSettings(ProcessSettings):
    """Number of noise levels T, sampler, and η of DDIM (0: deterministic, 1: as noisy as DDPM)."""

    levels: PositiveInt = 500
    sampler: Literal["ddpm", "ddim"] = "ddpm"
    eta: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.sampler == "ddpm" and self.eta != 0:
            raise ValueError("eta belongs to sampler ddim; ddpm has none")
        if self.steps > self.levels:
            raise ValueError(f"steps {self.steps} exceed the {self.levels} levels of noise")
        return self


class Diffusion(GenerativeProcess):
    """Cosine schedule; a sampler may visit any subsequence of the T levels."""

    Settings = DiffusionSettings

    def __init__(self, settings: DiffusionSettings, type_prior_K: Tensor) -> None:
        super().__init__(settings, type_prior_K)
        self.levels, self.sampler, self.eta = settings.levels, settings.sampler, settings.eta

    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos φ and sin φ with φ = (π/2) (1 - t + o)/(1 + o), o = 0.008."""
        angle = 0.5 * math.pi * (1 - time + 0.008) / 1.008
        return angle.cos(), angle.sin()

    def keep(self, time: Tensor) -> Tensor:
        """Return a², the share of the signal's variance, rescaled to end at 1."""
        end = math.cos(0.5 * math.pi * 0.008 / 1.008) ** 2
        return self.signal_and_noise(time)[0] ** 2 / end

    def path(self, clean: Atoms, draws: Draws) -> PathPoint:
        """Return points at levels drawn uniformly from 1 … T."""
        level_B = (draws.uniform("time") * self.levels).floor() + 1
        time_B = 1 - level_B / self.levels
        a_B11, s_B11 = (v[:, None, None] for v in self.signal_and_noise(time_B))
        noise_BN3 = mean_free_noise("noise", clean.mask_BN, draws)
        moved = clean.moved(a_B11 * clean.positions_BN3 + s_B11 * noise_BN3)
        types_BN = self.corrupt_types(clean, time_B, draws)
        return PathPoint(clean, Atoms(moved.positions_BN3, types_BN, clean.mask_BN), time_B)

    def times(self) -> Tensor:
        """Return an even subsequence of the levels T … 0."""
        levels = torch.linspace(self.levels, 0, self.steps + 1, dtype=torch.float64).round()
        return (1 - levels / self.levels).float()

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

    def advance(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return positions by ancestral sampling (DDPM) or the implicit update (DDIM)."""
        noise_BN3 = mean_free_noise("fresh", atoms.mask_BN, draws)
        a_now, s_now = self.signal_and_noise(now)
        a_then, s_then = self.signal_and_noise(then)
        ratio = a_now / a_then
        fresh_variance = (s_then**2 / s_now**2) * (s_now**2 - ratio**2 * s_then**2)
        if self.sampler == "ddpm":
            mean_BN3 = (
                ratio * s_then**2 * atoms.positions_BN3
                + a_then * (s_now**2 - ratio**2 * s_then**2) * clean.positions_BN3
            ) / s_now**2
            return mean_BN3 + fresh_variance.sqrt() * noise_BN3
        fresh = self.eta * fresh_variance.sqrt()
        eps_BN3 = (atoms.positions_BN3 - a_now * clean.positions_BN3) / s_now
        kept = (s_then**2 - fresh**2).clamp(min=0).sqrt()
        return a_then * clean.positions_BN3 + kept * eps_BN3 + fresh * noise_BN3
