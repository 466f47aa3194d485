"""The optimizers of a model, and their state as named tensors that a checkpoint can hold.

AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019. Muon: Jordan et
al., "Muon: an optimizer for hidden layers in neural networks", 2024, its updates scaled to the size
of AdamW's after Liu et al., "Muon is scalable for LLM training", 2025, so that both are told the
same learning rate and weight decay.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW

from assay.cell import TrainingSettings
from assay.errors import CheckpointError
from assay.training.adamw_8bit import LEAST, AdamW8bit
from assay.training.muon import Muon

_ENTRIES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
_SMALLEST_SIDE = 16
"""Of a matrix whose update is made orthogonal: one to a few outputs has next to nothing to gain."""


class ModelOptimizer:
    """AdamW of all that learns; or Muon, or AdamW with 8 bits, of much of it and AdamW of the rest.

    Muon takes the matrices within, and 8 bits suffice for whatever is large and no table.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings) -> None:
        """Take in the parameters that learn now.

        Raises:
            MachineError: bitsandbytes is asked for, and is not here or does not run here.
        """
        self._names = {p: name for name, p in model.named_parameters() if p.requires_grad}
        matrices = _matrices(model) if settings.optimizer == "muon" else set()
        large = _large(model, self._names) if settings.optimizer == "adamw_8bit" else set()
        rest = [p for p in self._names if p not in matrices and p not in large]
        self._parts: list[AdamW | Muon] = []
        if rest:
            self._parts.append(_adamw(rest, settings))
        inner = [p for p in self._names if p in matrices]
        if inner:
            self._parts.append(
                Muon(inner, lr=settings.learning_rate, weight_decay=settings.weight_decay)
            )
        self._by_8_bits = None
        if large:
            groups = _groups([p for p in self._names if p in large], settings)
            rate, betas = settings.learning_rate, settings.betas
            self._by_8_bits = AdamW8bit(groups, self._names, rate, betas)

    def step(self, rate: float) -> None:
        """Move the parameters along their gradients, at a learning rate."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
        if self._by_8_bits is not None:
            self._by_8_bits.step(rate)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as `<entry>.<parameter>` tensors, large ones as `AdamW8bit` has them."""
        large = {} if self._by_8_bits is None else self._by_8_bits.tensors()
        return large | {
            f"{entry}.{name}": state[entry]
            for state, _, name in self._states()
            for entry in _ENTRIES
            if entry in state
        }

    def shapes(self) -> dict[str, Tensor]:
        """Return, under the names of `tensors`, the parameters that their entries are laid out as.

        Entry `step` is a number and has no layout; `AdamW8bit` cuts what is its own by itself.
        """
        return {f"{entry}.{name}": p for p, name in self._names.items() for entry in _ENTRIES[1:]}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned.

        Raises:
            CheckpointError: the tensors do not fit the parameters.
        """
        for state, parameter, name in self._states():
            found = {e: tensors[f"{e}.{name}"] for e in _ENTRIES if f"{e}.{name}" in tensors}
            for entry, tensor in found.items():
                if entry == "step":
                    state[entry] = tensor.clone()
                    continue
                if tensor.numel() == parameter.numel() == 1:  # shards have scalars as vectors
                    tensor = tensor.reshape(parameter.shape)
                if tensor.shape != parameter.shape:
                    raise CheckpointError(
                        f"optimizer state of {name} has another shape than the model"
                    )
                state[entry] = tensor.to(parameter.device, copy=True)
        if self._by_8_bits is not None:
            self._by_8_bits.restore(tensors)

    def _states(self) -> Iterator[tuple[dict[str, Any], nn.Parameter, str]]:
        for part in self._parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    yield part.state[parameter], parameter, self._names[parameter]


def clip_gradients(model: nn.Module, limit: float) -> Tensor:
    """Scale the gradients so that their joint norm is at most `limit`; return the norm before."""
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit, foreach=True)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _groups(parameters: list[nn.Parameter], settings: TrainingSettings) -> list[dict[str, Any]]:
    """Vectors (biases, norms) do not decay."""
    decay = settings.weight_decay
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _adamw(parameters: list[nn.Parameter], settings: TrainingSettings) -> AdamW:
    return AdamW(
        _groups(parameters, settings),
        lr=settings.learning_rate,
        betas=settings.betas,
        foreach=True,
    )


def _matrices(model: nn.Module) -> set[Tensor]:
    """Return the weights of linear maps between features, whoever's; no tables, no few outputs."""
    maps = (m for m in model.modules() if not isinstance(m, nn.Embedding))
    weights = [weight for m in maps if isinstance(weight := getattr(m, "weight", None), Tensor)]
    return {w for w in weights if w.ndim == 2 and min(w.shape) >= _SMALLEST_SIDE}


def _large(model: nn.Module, learn: Iterable[Tensor]) -> set[Tensor]:
    """Return what 8 bits suffice for: no tables, whose rows move too unlike to share a block."""
    tables = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
    return {p for p in learn if p.numel() >= LEAST and p not in tables}
