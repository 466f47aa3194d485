"""What every way of balancing losses has in common: named losses in, one loss and its weights out.

A step may be cut into micro-batches and shared by several workers. The mean over them is the
step's loss only if all of them use the same weights, so a method's weights depend on the step, on
earlier steps, or on sums over all workers; a method that needs more says so, and
`assay.training.balancing.execution` refuses what it cannot do.

Shapes: K losses that are weighted, in the order of the given weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from assay.config import Settings, did_you_mean
from assay.errors import ConfigError, TrainingError

ROUNDING = 1e-6
"""A loss that is negative by less is 0."""


@dataclass(frozen=True)
class Part:
    """A micro-batch of a step, as one worker sees it."""

    losses: tuple[Tensor, ...]
    """(K,) of (): means over its records."""
    shared: Sequence[nn.Parameter]
    step: int
    records: int

    @property
    def values_K(self) -> Tensor:
        """(K,) the losses without their gradients."""
        return torch.stack([loss.detach() for loss in self.losses])


class Balance(nn.Module, ABC):
    """Makes of the named losses of a batch the one that is minimised.

    It is a part of the model, called within the model's forward pass: then a checkpoint holds its
    state, and what it learns itself is learnt, under several workers too.
    """

    method: ClassVar[str]
    needs_whole_batches: ClassVar[bool] = False
    """Its weights depend on all losses of a step at once: no micro-batches."""
    takes_gradients: ClassVar[bool] = False
    """Within the forward pass, which a compiled and a sharded model do not allow."""
    needs_positive_losses: ClassVar[bool] = False
    """Zero is allowed."""

    given_K: Tensor

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Take in the given weights; a loss of weight 0 is left out by every method.

        Raises:
            ConfigError: all weights are 0.
        """
        super().__init__()
        self.known = tuple(weights)
        self.names = tuple(name for name, weight in weights.items() if weight > 0)
        if not self.names:
            raise ConfigError("every loss has weight 0: give one at least a weight above 0")
        given_K = torch.tensor([weights[name] for name in self.names], dtype=torch.float32)
        self.register_buffer("given_K", given_K, persistent=False)

    def forward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        step: int | None,
        records: int = 1,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss that is minimised, and the weight that each loss has in it, detached.

        Args:
            losses: () each, a mean over the records of this micro-batch, on this worker.
            shared: The parameters on which gradients of different losses meet; only methods that
                look at gradients use them.
            step: Of training. None in evaluation: the losses by the given weights, whatever the
                method, and no state moves; so validation losses of all methods compare.
            records: In this micro-batch, on this worker. May be left out where all are of one size.

        Raises:
            ConfigError: a loss with a weight is missing, or one has no weight.
            TrainingError: a loss is negative, which this method does not allow.
        """
        ordered = self._in_order(losses)
        with torch.autocast(self.given_K.device.type, enabled=False):  # sums of products in bf16
            if step is None:
                weights_K, total = self.given_K, self.given_K.new_zeros(())
            else:
                part = Part(ordered, shared, step, records)
                self._require_positive(part)
                weights_K, total = self.weigh(part), self.penalty()
            # A loss of weight 0 stays in the sum: under DDP every parameter must get a gradient.
            total = total + (weights_K * torch.stack(ordered)).sum()
        weights = dict(zip(self.names, weights_K.detach().clone(), strict=True))
        return total, {name: weights.get(name, total.new_zeros(())) for name in self.known}

    # Without nn.Module's hooks: those that count FLOPs would watch the shared parameters, and a
    # gradient taken within the forward pass does not allow that of a leaf.
    __call__ = forward

    @abstractmethod
    def weigh(self, part: Part) -> Tensor:
        """Return (K,) the weights of a micro-batch."""

    def penalty(self) -> Tensor:
        """Return () what is added to the weighted losses."""
        return self.given_K.new_zeros(())

    def _in_order(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        missing = [name for name in self.names if name not in losses]
        if missing:
            near = did_you_mean(missing[0], losses)
            raise ConfigError(f"loss {missing[0]!r} has a weight, but is not computed{near}")
        unknown = sorted(losses.keys() - {*self.known})
        if unknown:
            near = did_you_mean(unknown[0], self.known)
            raise ConfigError(f"loss {unknown[0]!r} is computed, but has no weight{near}")
        return tuple(losses[name].float() for name in self.names)

    def _require_positive(self, part: Part) -> None:
        if not self.needs_positive_losses:
            return
        for name, loss in zip(self.names, part.values_K.tolist(), strict=True):
            if loss < -ROUNDING:
                raise TrainingError(
                    f"balancing {self.method}: loss {name!r} is {loss:.3g} at step {part.step}, "
                    "and this method needs losses of 0 or more; choose another method"
                )


class BalanceSettings(Settings, ABC):
    """What a method can be told; the fields of each are its own."""

    @abstractmethod
    def balance(self, weights: Mapping[str, float], seed: int) -> Balance:
        """Return the method for losses with these given weights.

        Args:
            weights: By name of the loss.
            seed: Of the cell, for methods that draw.

        Raises:
            ConfigError: all weights are 0, or a loss that is named is none of them.
        """


class StepMeans(nn.Module):
    """The mean losses of a step, of however many micro-batches and workers it consists.

    What is known of a step is known at the next one: whoever asks is told of the one before.
    """

    sums_K: Tensor
    records: Tensor
    step: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("sums_K", torch.zeros(count))
        self.register_buffer("records", torch.zeros(()))
        self.register_buffer("step", torch.tensor(-1))

    @torch.no_grad()
    def take(self, part: Part) -> Tensor | None:
        """Take in a micro-batch; at a step's first one, return (K,) the means of the one before.

        On all workers alike, so that the first one's checkpoint is everybody's.
        """
        ended_K = None
        if int(self.step) != part.step:
            ended_K = self.sums_K / self.records if int(self.step) >= 0 else None
            self.sums_K.zero_()
            self.records.zero_()
            self.step.fill_(part.step)
        sums_K, count = summed_over_workers(part.values_K, part.records)
        self.sums_K += sums_K
        self.records += count
        return ended_K


@torch.no_grad()
def summed_over_workers(means: Tensor, records: int) -> tuple[Tensor, Tensor]:
    """Return `means` times their records, and () the records, both summed over all workers.

    Args:
        means: (…,) over the records of this worker.
        records: Of this worker.
    """
    sums = torch.cat([means.detach().flatten() * records, means.new_tensor([float(records)])])
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(sums)
    return sums[:-1].view_as(means), sums[-1]


def require_loss(name: str, weights: Mapping[str, float], what: str) -> None:
    """See that a loss that a setting names takes part.

    Raises:
        ConfigError: it is none, or its weight is 0.
    """
    if name not in weights:
        raise ConfigError(f"{what}: there is no loss {name!r}{did_you_mean(name, weights)}")
    if weights[name] == 0:
        raise ConfigError(f"{what}: loss {name!r} has weight 0; give it a weight above 0")
