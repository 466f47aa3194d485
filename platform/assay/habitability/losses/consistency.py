"""That the modalities of one planet know each other: a contrast with other planets.

InfoNCE: van den Oord, Li and Vinyals, arXiv:1807.03748 (2018), for every ordered pair of
modalities. The negatives of a batch's planet are no others of its batch, for then the loss would
depend on how a step is cut into micro-batches: they are training planets that are drawn for the
whole step, and encoded as they are, without a gradient. A negative that is the same planet, in
another guise or with another guest, or has the same network, is left out. Their mean is taken off
everybody first: what all planets share would make all cosines 1, and the loss would stay at that of
guessing.

Shapes: B planets, N negatives, M modalities, C width of the shared space.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from assay.habitability.data.modalities import MODALITIES
from assay.pathways.means import mean

_SHORTEST = 1e-3
"""What is nearer to the mean than this has no direction."""


def contrast(
    own_BMC: Tensor,
    presence_BM: Tensor,
    other_NMC: Tensor,
    other_presence_NM: Tensor,
    alike_BN: Tensor,
    temperature: float,
) -> Tensor:
    """Return how hard it is to find a planet's one modality by another among the negatives'.

    -log(e(x_i, x_j) / (e(x_i, x_j) + Σₙ e(x_i, y_nj))) with e = exp(cos / temperature), of what
    differs from the negatives' mean: a mean over the pairs of different modalities i, j that a
    planet has.

    Args:
        own_BMC: Modalities of planets.
        presence_BM: bool, which of them there are.
        other_NMC: Of the negatives.
        other_presence_NM: bool.
        alike_BN: bool, who is no negative.
        temperature: Of the softmax.
    """
    there_NM1 = other_presence_NM.unsqueeze(-1)
    mean_MC = (other_NMC.float() * there_NM1).sum(0) / there_NM1.sum(0).clamp(min=1)
    x_BMC, y_NMC = (
        normalize(each.float() - mean_MC, dim=-1, eps=_SHORTEST) for each in (own_BMC, other_NMC)
    )
    # A cosine that bfloat16 rounds to 0.004 would be a logit that it rounds to 0.04.
    with torch.autocast(own_BMC.device.type, enabled=False):
        own_BMM = x_BMC @ x_BMC.mT / temperature
        others_BMMN = torch.einsum("bic,njc->bijn", x_BMC, y_NMC) / temperature
    counts_BMN = other_presence_NM.mT & ~alike_BN[:, None, :]
    others_BMMN = others_BMMN.masked_fill(~counts_BMN[:, None], -torch.inf)
    all_BMM = torch.cat([own_BMM.unsqueeze(-1), others_BMMN], -1).logsumexp(-1)
    both_BMM = presence_BM[:, :, None] & presence_BM[:, None, :]
    different_MM = ~torch.eye(len(MODALITIES), dtype=torch.bool, device=presence_BM.device)
    return mean(all_BMM - own_BMM, both_BMM & different_MM)
