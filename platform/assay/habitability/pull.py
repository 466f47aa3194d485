"""How hard each loss pulls at each encoder: what weights do, and values do not show.

Shapes: B planets.
"""

import torch
from torch import Tensor

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.model import HabitabilityModel, Negatives
from assay.training.draws import Draws


def pulls(
    model: HabitabilityModel, batch: MultiModalBatch, draws: Draws, negatives: Negatives | None
) -> dict[str, float]:
    """Return `share/<loss>/<modality>` and `weighted/<loss>` of a batch, without a step.

    The former is the norm of the weighted loss's gradient by the parameters of an encoder, over the
    sum of these norms of all losses: 1 is a loss that decides alone what an encoder learns. The
    decoder within the graph encoder does not count.
    """
    learned = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(True)
    try:
        with torch.enable_grad():
            outcome = model(batch, draws, None, negatives)
            weighted = {name: outcome.weights[name] * v for name, v in outcome.losses.items()}
            norms = {name: _norms(model, value) for name, value in weighted.items()}
    finally:
        for parameter, learns in zip(model.parameters(), learned, strict=True):
            parameter.requires_grad_(learns)
    found = {f"weighted/{name}": float(value.detach()) for name, value in weighted.items()}
    for modality in model.encoders:
        total = sum(each[modality] for each in norms.values())
        for name, each in norms.items():
            found[f"share/{name}/{modality}"] = each[modality] / total if total else 0.0
    return found


def _norms(model: HabitabilityModel, loss: Tensor) -> dict[str, float]:
    """Return the norm of a loss's gradient by each encoder's parameters."""
    found: dict[str, float] = {}
    for modality, encoder in model.encoders.items():
        parameters = [
            parameter
            for name, parameter in encoder.named_parameters()
            if parameter.requires_grad and ".decoder." not in f".{name}"
        ]
        slopes = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        squares = [slope.square().sum() for slope in slopes if slope is not None]
        found[modality] = float(torch.stack(squares).sum().sqrt()) if squares else 0.0
    return found
