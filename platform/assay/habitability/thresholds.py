"""Habitability as it is foretold: the chance that it reaches each of eleven thresholds.

The label is a share of area and year: often 0, seldom 1, anything between. Odds of reaching a
threshold need no shape of its distribution; the cross-entropy of each is a proper score, so that
chances are calibrated where it is least, and their mean is the expected value, for of a number in
[0, 1] E y = ∫ P(y ≥ t) dt. They never rise with the threshold. The middle one, a half, is what
"habitable" means where the question is yes or no.

Shapes: B planets, D width, K thresholds.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from assay.habitability.data.target import COUNT, THRESHOLDS

_LEAST_DROP = 0.02
"""Between the log odds of two thresholds, to begin with: some share of planets is between any."""


def reached(label_B: Tensor) -> Tensor:
    """Return bool (B, K): which thresholds a label reaches."""
    return label_B.unsqueeze(-1) >= torch.tensor(THRESHOLDS, device=label_B.device)


def expected(chance_BK: Tensor) -> Tensor:
    """Return (B,): the mean of what reaches thresholds with these chances."""
    return chance_BK.mean(-1)


class Chances(nn.Module):
    """From a state to log odds, which fall with the threshold."""

    def __init__(self, width: int, share_K: Tensor) -> None:
        """Begin at the shares of the training planets that reach the thresholds."""
        super().__init__()
        self.out = nn.Linear(width, COUNT)
        odds_K = share_K.logit()
        drops_K = (odds_K[:-1] - odds_K[1:]).clamp(min=_LEAST_DROP)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.copy_(torch.cat([odds_K[:1], drops_K.expm1().log()]))

    def forward(self, state: Tensor) -> Tensor:
        """Return (…, K) of states (…, D)."""
        told = self.out(state).float()
        first, drops = told[..., :1], softplus(told[..., 1:])
        return torch.cat([first, first - drops.cumsum(-1)], -1)
