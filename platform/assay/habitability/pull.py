"""How hard each loss pulls at each encoder: what weights do, and values do not show.

Shapes: B planets.
"""

import torch
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.model import HabitabilityModel, Negatives
from assay.training.draws import Draws


def pulls(
    model: HabitabilityModel, batch: MultiModalBatch, draws: Draws, negatives: Negatives | None
) -> dict[str, float]:
    """Return `share/<loss>/<modality>` and `weighted/<loss>` of a batch, without a step.

    Gradients that the model has are lost.

    The former is the norm of the weighted loss's gradient by the parameters of an encoder, over the
    sum of these norms of all losses: 1 is a loss that decides alone what an encoder learns. The
    decoder within the graph encoder does not count.
    """
    learned = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(True)
    norms: dict[str, dict[str, float]] = {}
    try:
        model.zero_grad()
        with torch.enable_grad():
            outcome = model(batch, draws, None, negatives)
            weighted = {name: outcome.weights[name] * v for name, v in outcome.losses.items()}
            for name, value in weighted.items():
                # A backward pass, and not `torch.autograd.grad`, which knows of no shards.
                value.backward(retain_graph=True)
                norms[name] = _norms(model)
                model.zero_grad()
    finally:
        for parameter, learns in zip(model.parameters(), learned, strict=True):
            parameter.requires_grad_(learns)
    found = {f"weighted/{name}": float(value.detach()) for name, value in weighted.items()}
    for modality in model.encoders:
        total = sum(each[modality] for each in norms.values())
        for name, each in norms.items():
            found[f"share/{name}/{modality}"] = each[modality] / total if total else 0.0
    return found


def _norms(model: HabitabilityModel) -> dict[str, float]:
    """Return the norm of the gradient by each encoder's parameters."""
    found: dict[str, float] = {}
    for modality, encoder in model.encoders.items():
        slopes = [
            parameter.grad
            for name, parameter in encoder.named_parameters()
            if parameter.grad is not None and ".decoder." not in f".{name}"
        ]
        norm = get_total_norm(slopes)
        found[modality] = float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    return found
