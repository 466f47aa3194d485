"""Stage 1's costs, and the gate that stage 2 is behind.

A graph token stands among the language model's input embeddings, so it is aligned to the mean of
those of the description, or, if the settings say so, to that of the last hidden states. Means of
many embeddings are nearly alike, so that similarity is measured from the mean over descriptions
(Mu and Viswanath, "All-but-the-top", ICLR 2018).

Shapes: B records, D width of the language model, Q held-out descriptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cosine_similarity

from assay.captioning.bridge.settings import AlignmentSettings
from assay.captioning.contrast import alike, info_nce
from assay.captioning.retrieval import cosine, ranks, recall_at_k
from assay.task import Estimate


@dataclass(frozen=True)
class Frame:
    """Where descriptions lie: the origin and the unit of their distances."""

    centre_D: Tensor
    variance: Tensor
    """Mean squared deviation of an entry."""

    @classmethod
    def of(cls, targets_QD: Tensor) -> "Frame":
        """Return the frame of some descriptions' embeddings."""
        centre_D = targets_QD.mean(0)
        return cls(centre_D, (targets_QD - centre_D).square().mean())


def alignment_costs(
    x_BD: Tensor, y_BD: Tensor, frame: Frame, captions: tuple[str, ...], chosen: AlignmentSettings
) -> Mapping[str, Tensor]:
    """Return the weighted costs of molecules against their descriptions; those of weight 0 not.

    mse: |x - y|² / (D · variance), which is 1 where x is the mean description;
    cosine: 1 - cos(x - c, y - c);
    info_nce: as `assay.captioning.contrast`, of x - c and y - c.

    Args:
        x_BD: Of molecules, the mean over their graph tokens.
        y_BD: Of descriptions.
        frame: c and the variance.
        captions: (B,) by which two that read alike are known to be no negatives.
        chosen: The weights.
    """
    x_c_BD, y_c_BD = x_BD - frame.centre_D, y_BD - frame.centre_D
    costs = {}
    if chosen.mse:
        costs["mse"] = chosen.mse * (x_BD - y_BD).square().mean() / frame.variance
    if chosen.cosine:
        costs["cosine"] = chosen.cosine * (1 - cosine_similarity(x_c_BD, y_c_BD)).mean()
    if chosen.info_nce:
        same_BB = alike(captions).to(x_BD.device)
        costs["info_nce"] = chosen.info_nce * info_nce(
            x_c_BD, y_c_BD, 1 / chosen.temperature, same_BB
        )
    return costs


@dataclass(frozen=True)
class Verdict:
    """How often a held-out molecule finds its own description first, and a wrong one."""

    own: Estimate
    shuffled: Estimate

    @property
    def passes(self) -> bool:
        """Say whether the intervals are disjoint, the right way round."""
        return self.own.low > self.shuffled.high

    def __str__(self) -> str:
        """Return both with their intervals."""
        own, shuffled = (
            f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"
            for each in (self.own, self.shuffled)
        )
        return f"Recall@1 of held-out descriptions is {own}, of shuffled pairs {shuffled}"


def judged(x_QD: Tensor, y_QD: Tensor, frame: Frame, seed: int) -> Verdict:
    """Return Recall@1 from molecules to descriptions, and that of pairs shuffled.

    Args:
        x_QD: Of molecules.
        y_QD: Of their descriptions, no two of which are the same text.
        frame: Its centre is taken off both.
        seed: Of the shuffling, which leaves no pair as it was.
    """
    centre_D = frame.centre_D.float()
    x, y = ((each.float() - centre_D).cpu().numpy() for each in (x_QD, y_QD))

    def recall(targets_Q: NDArray[np.integer]) -> Estimate:
        return recall_at_k(ranks(lambda rows: cosine(x[rows], y), targets_Q), 1)

    cycle_Q = np.random.default_rng(seed).permutation(len(x))
    shuffled_Q = np.empty_like(cycle_Q)
    shuffled_Q[cycle_Q] = np.roll(cycle_Q, 1)
    return Verdict(recall(np.arange(len(x))), recall(shuffled_Q))


def first_of_each(captions: list[str]) -> NDArray[np.int64]:
    """Return the places of the distinct texts: two that read alike cannot be told apart."""
    first = {caption: place for place, caption in reversed(list(enumerate(captions)))}
    return np.array(sorted(first.values()), np.int64)
