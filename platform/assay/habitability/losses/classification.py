"""What is foretold of a planet, against what it is.

Shapes: B planets, S states of a planet, K thresholds.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.heads import Foretold
from assay.habitability.thresholds import reached
from assay.pathways.means import mean


def habitability(told: Foretold, batch: MultiModalBatch) -> Tensor:
    """Return the cross-entropy of the thresholds, each state's by its share.

    States are judged apart, so that an ensemble is one of models that were trained apart.
    """
    reached_BSK = reached(batch.habitability_label)[:, None].expand_as(told.odds_BSK)
    losses_BSK = binary_cross_entropy_with_logits(
        told.odds_BSK, reached_BSK.to(told.odds_BSK.dtype), reduction="none"
    )
    return (losses_BSK.mean(-1) * told.shares_BS).sum(1).mean()


def liquid_water(told_B: Tensor, batch: MultiModalBatch) -> Tensor:
    """Return the squared error of the share of area and year with liquid water."""
    return ((told_B - batch.liquid_water_label) ** 2).mean()


def environment(told_B4: Tensor, batch: MultiModalBatch) -> Tensor:
    """Return the squared error of what is known of the network's environment, normalised."""
    return mean((told_B4 - batch.environment) ** 2, batch.environment_known)


def environment_from_climate(told_B4: Tensor, batch: MultiModalBatch) -> Tensor:
    """Return the same of planets whose climate is there."""
    known_B4 = batch.environment_known & batch.has("climate_cubes").unsqueeze(-1)
    return mean(torch.square(told_B4 - batch.environment), known_B4)
