"""Discrete noise that leads to the data's marginals, and the way back: Vignac et al., ICLR 2023.

At time t of T a variable still is what it was with probability ᾱ(t), or else drawn anew from its
marginal m: q(xₜ | x₀) = ᾱ(t) [xₜ = x₀] + (1 − ᾱ(t)) m(xₜ), the chain of Qₜ = α 1 + (1 − α) 1 mᵀ
(DiGress, section 4.1). Variables may have very many values: no matrix is made.

Shapes: K values of a variable; the others are the variables' own.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.training.draws import Draws

OFFSET = 0.008
"""Of the cosine: Nichol, Dhariwal, ICML 2021, equation 17."""


@dataclass(frozen=True)
class Schedule:
    """A cosine, from nothing lost at 0 to everything lost at T."""

    steps: int
    """T."""

    def kept(self, t: Tensor) -> Tensor:
        """Return ᾱ(t), between 1 at t = 0 and 0 at T."""
        angle = (t / self.steps + OFFSET) / (1 + OFFSET) * (math.pi / 2)
        return (angle.cos() / math.cos(OFFSET / (1 + OFFSET) * math.pi / 2)) ** 2

    def time_of(self, kept: float) -> int:
        """Return the time at which ᾱ is nearest to `kept`, and at least 1."""
        times = torch.arange(1, self.steps + 1)
        return int(times[(self.kept(times) - kept).abs().argmin()])


def noisy(x: Tensor, fresh: Tensor, unit: Tensor, kept: Tensor) -> Tensor:
    """Return a draw of q(xₜ | x₀).

    Args:
        x: int64, the values.
        fresh: int64, drawn from the marginal.
        unit: Uniform in (0, 1).
        kept: ᾱ(t), broadcast.
    """
    return torch.where(unit < kept, x, fresh)


def earlier(
    x: Tensor,
    clean: Tensor,
    fresh: Tensor,
    unit: Tensor,
    chance: Tensor,
    kept: tuple[float, float],
) -> Tensor:
    """Return a draw of q(xₜ₋₁ | xₜ, x₀), which is xₜ, x₀ or drawn anew.

    Bayes: proportional to (α [xₜ = k] + (1 − α) m(xₜ)) (ᾱ [x₀ = k] + (1 − ᾱ) m(k)), with α of the
    step and ᾱ of time t − 1. With x₀ drawn from what a network says of it, this is a draw of the
    sum over x₀ (DiGress, equation 5).

    Args:
        x: int64, the values at time t.
        clean: int64, x₀.
        fresh: int64, drawn from the marginal.
        unit: Uniform in (0, 1).
        chance: m(xₜ).
        kept: ᾱ(t − 1) and ᾱ(t).
    """
    before, now = kept
    alpha = now / before
    stays = alpha * (1 - before) * chance + (x == clean) * (alpha * before)
    cleans = (1 - alpha) * before * chance
    anew = (1 - alpha) * (1 - before) * chance
    level = unit * (stays + cleans + anew)
    return torch.where(level < stays, x, torch.where(level < stays + cleans, clean, fresh))


def chosen(weights_K: Tensor, unit: Tensor) -> Tensor:
    """Return int64 (…): a value for each number in (0, 1), by weights (…, K) or (K,)."""
    cumulative = weights_K.cumsum(-1)
    level = unit.unsqueeze(-1) * cumulative[..., -1:]
    if weights_K.dim() == 1:
        found = torch.searchsorted(cumulative, level.squeeze(-1).contiguous())
    else:
        found = torch.searchsorted(cumulative, level.contiguous()).squeeze(-1)
    return found.clamp(max=weights_K.shape[-1] - 1)


def of_pairs(draws: Draws, name: str, N: int) -> Tensor:
    """Return float32 (B, N, N): uniform in (0, 1), a number of its own for each ordered pair.

    By the two nodes' numbers, so that padding a batch further changes no draw.
    """
    device = draws.record_ids.device
    low, high = torch.triu_indices(N, N, 1, device=device)
    place_P = high * (high - 1) // 2 + low
    drawn_BP2 = draws.uniform(name, N * (N - 1) // 2, 2)[:, place_P]
    found_BNN = torch.full((len(drawn_BP2), N, N), 0.5, device=device)
    found_BNN[:, low, high], found_BNN[:, high, low] = drawn_BP2.unbind(-1)
    return found_BNN
