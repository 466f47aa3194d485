"""AdamW, and its state as named tensors that a checkpoint can hold."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW

from assay.cell import TrainingSettings
from assay.errors import CheckpointError

_STATE = ("step", "exp_avg", "exp_avg_sq")


def adamw(parameters: Iterable[tuple[str, nn.Parameter]], settings: TrainingSettings) -> AdamW:
    """Return AdamW over the parameters that learn; vectors (biases, norms) do not decay.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    learning = [(name, p) for name, p in parameters if p.requires_grad]
    groups = [
        {"params": [p for _, p in learning if p.ndim >= 2]},
        {"params": [p for _, p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        foreach=True,
    )


def optimizer_tensors(optimizer: AdamW, model: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state as `<moment>.<parameter>` tensors."""
    return {
        f"{entry}.{name}": optimizer.state[parameter][entry]
        for name, parameter in model.named_parameters()
        if parameter in optimizer.state
        for entry in _STATE
    }


def restore_optimizer(optimizer: AdamW, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned.

    Raises:
        CheckpointError: the tensors do not fit the model's parameters.
    """
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad or f"step.{name}" not in tensors:
            continue
        if tensors[f"exp_avg.{name}"].shape != parameter.shape:
            raise CheckpointError(f"optimizer state of {name} has another shape than the model")
        optimizer.state[parameter] = {
            "step": tensors[f"step.{name}"].clone(),
            "exp_avg": tensors[f"exp_avg.{name}"].to(parameter.device, copy=True),
            "exp_avg_sq": tensors[f"exp_avg_sq.{name}"].to(parameter.device, copy=True),
        }


def clip_gradients(model: nn.Module, limit: float) -> Tensor:
    """Scale the gradients so that their joint norm is at most `limit`; return the norm before."""
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit, foreach=True)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
