"""How wrong each modality is, rebuilt from all that is there of its planet.

Means over all planets of the batch of what a planet has; what it lacks counts 0.

Shapes: B planets, C columns of a network's sketch.
"""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import Modality
from assay.pathways.means import mean


def errors(
    told: Mapping[Modality, Tensor], aims: Mapping[Modality, Tensor], spread_C: Tensor
) -> dict[Modality, Tensor]:
    """Return (B,) a modality: the mean error of an entry, squared; a description's cross-entropy.

    Args:
        told: As `assay.habitability.heads.Told.modalities`.
        aims: As `assay.habitability.targets.aims`.
        spread_C: By which a network's sketch is divided.
    """
    found: dict[Modality, Tensor] = {}
    for name, guess in told.items():
        aim = aims[name]
        if name == "text_descriptions":
            each = binary_cross_entropy_with_logits(guess, aim, reduction="none")
        else:
            each = (guess - aim) ** 2
        found[name] = (each / spread_C**2 if name == "bio_graphs" else each).flatten(1).mean(1)
    return found


def losses(errors_B: Mapping[Modality, Tensor], batch: MultiModalBatch) -> dict[Modality, Tensor]:
    """Return the mean error of each modality over the planets; 0 of those that lack it."""
    return {
        name: mean(error_B[:, None], batch.has(name)[:, None]) for name, error_B in errors_B.items()
    }
