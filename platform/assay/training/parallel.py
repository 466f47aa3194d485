"""The workers that train one model together: one alone, or several under DDP or FSDP2.

Each worker computes its part of every micro-batch. The draws and the order of records are
functions of the step, so that any number of workers computes the same losses up to rounding.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Literal, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from assay import errors
from assay.errors import AssayError, CheckpointError, ConfigError
from assay.training.fixed import PartlyFixed

T = TypeVar("T")
Sharding = Literal["ddp", "fsdp2"]

_SYNC = "forward_sync_buffers"
if _SYNC not in signature(DistributedDataParallel).parameters:
    _SYNC = "broadcast_buffers"  # before torch 2.13
_OWN_BUFFERS: Mapping[str, Any] = {_SYNC: False}


class Workers:
    """One worker, alone; also what several have in common."""

    rank = 0
    count = 1

    def shard(self, model: nn.Module) -> None:
        """Spread a model's parameters over the workers in place, if that is how they work.

        Raises:
            ConfigError: the model cannot be cut into shards.
        """

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the module to call so that gradients are averaged over the workers."""
        return model

    def accumulating(
        self, network: nn.Module, *, last: bool
    ) -> contextlib.AbstractContextManager[Any]:
        """Return a context that holds gradients back until the last micro-batch of a step."""
        return contextlib.nullcontext()

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of `values` over all workers."""
        return list(values)

    def gather(self, value: T) -> list[T]:
        """Return every worker's `value`, a plain one, by rank."""
        return [value]

    def on_first(self, action: Callable[[], T]) -> T:
        """Do `action` on the first worker; all return its result, a plain value.

        Raises:
            AssayError: what it raised there, on every worker.
        """
        return action()

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors of which every worker may hold a shard as whole ones, on the first."""
        return dict(tensors)

    def place(self, tensors: Mapping[str, Tensor], like: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return whole tensors as shards, where those of the same name in `like` are.

        Raises:
            CheckpointError: a tensor has another shape.
        """
        return dict(tensors)


ALONE = Workers()


class DistributedWorkers(Workers):
    """This process's part in the default process group of torch.distributed."""

    def __init__(self, sharding: Sharding, device: Literal["cpu", "cuda"]) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self._sharding, self._device = sharding, torch.device(device)
        self._mesh = init_device_mesh(device, (self.count,)) if sharding == "fsdp2" else None

    def shard(self, model: nn.Module) -> None:
        """Spread the parameters: each repeated block by itself, then what is left.

        A block is whole only while it computes. So is what is left, in the forward pass and in the
        methods that the model names in `called_beside_forward`. Scalars become vectors of one,
        which FSDP2 can cut and which broadcast alike.
        """
        if self._mesh is None:
            return
        _require_shards(model)
        _make_scalars_vectors(model)
        for module in list(model.modules()):
            if isinstance(module, nn.ModuleList):
                for block in module:
                    fully_shard(block, mesh=self._mesh)
        # Or else the averaged model, which never has a backward pass, would stay whole.
        fully_shard(model, mesh=self._mesh, reshard_after_forward=True)
        for method in getattr(model, "called_beside_forward", ()):
            register_fsdp_forward_method(model, method)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Wrap in DDP; a sharded model averages its gradients by itself."""
        if self._mesh is not None:
            return model
        # Not every parameter serves at every step: a first pass, a head of another stage.
        return DistributedDataParallel(model, find_unused_parameters=True, **_OWN_BUFFERS)

    def accumulating(
        self, network: nn.Module, *, last: bool
    ) -> contextlib.AbstractContextManager[Any]:
        """Hold gradients back until the last micro-batch of a step."""
        if isinstance(network, FSDPModule):
            network.set_requires_gradient_sync(last)
            return contextlib.nullcontext()
        ddp = cast(DistributedDataParallel, network)
        return contextlib.nullcontext() if last else ddp.no_sync()

    def sum(self, values: Sequence[float]) -> list[float]:
        """All-reduce float64 values."""
        tensor = torch.tensor(values, dtype=torch.float64, device=self._device)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def gather(self, value: T) -> list[T]:
        """All-gather plain values as JSON: torch's own way for objects reads pickles."""
        mine = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [int(size) for size in self._all(torch.tensor([len(mine)]))]
        padded = torch.zeros(max(sizes), dtype=torch.uint8)
        padded[: len(mine)] = mine
        rows = zip(self._all(padded), sizes, strict=True)
        return [json.loads(bytes(row[:size].tolist())) for row, size in rows]

    def on_first(self, action: Callable[[], T]) -> T:
        """Do `action` on the first worker; all return its result or raise its fault."""
        value, fault = None, None
        if self.rank == 0:
            try:
                value = action()
            except AssayError as error:
                fault = (type(error).__name__, str(error))
        value, fault = self.gather((value, fault))[0]
        if fault is not None:
            raise getattr(errors, fault[0])(fault[1])
        return cast(T, value)

    def _all(self, tensor: Tensor) -> list[Tensor]:
        here = tensor.to(self._device)
        found = [torch.empty_like(here) for _ in range(self.count)]
        dist.all_gather(found, here)
        return [each.cpu() for each in found]

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gather shards, one tensor at a time, into the first worker's main memory."""
        found = {}
        for name, tensor in tensors.items():
            whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            if self.rank == 0:
                found[name] = whole.cpu()
        return found

    def place(self, tensors: Mapping[str, Tensor], like: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cut whole tensors into this worker's shards."""
        placed = {}
        for name, tensor in tensors.items():
            mine = like.get(name)
            if isinstance(mine, DTensor):
                tensor = tensor.reshape(1) if tensor.ndim == 0 else tensor  # as `shard` has it
                if mine.shape != tensor.shape:
                    raise CheckpointError(f"{name} has another shape than in the model")
                whole = tensor.to(self._device)
                placed[name] = distribute_tensor(whole, mine.device_mesh, mine.placements)
            else:
                placed[name] = tensor
        return placed


def _require_shards(model: nn.Module) -> None:
    why = model.not_in_shards if isinstance(model, PartlyFixed) else ""
    for name, parameter in nn.Module.named_parameters(model):
        if not parameter.is_floating_point():  # a shard would be without its blocks' scales
            why = f"{name} holds weights of less than 16 bits, which are not cut"
            break
    if why:
        raise ConfigError(f"sharding fsdp2: {why}; use resources.sharding=ddp")


def _make_scalars_vectors(model: nn.Module) -> None:
    made: dict[nn.Parameter, nn.Parameter] = {}
    for module in model.modules():
        for leaf, scalar in module._parameters.items():
            if scalar is not None and scalar.ndim == 0:
                vector = nn.Parameter(scalar.detach().reshape(1), scalar.requires_grad)
                module._parameters[leaf] = made.setdefault(scalar, vector)
