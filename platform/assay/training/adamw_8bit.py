"""AdamW whose moments take 8 bits a number, by bitsandbytes.

Dettmers et al., "8-bit optimizers via block-wise quantization", ICLR 2022: a moment is one of 256
numbers between -1 and 1, times the largest of its block of 256 moments.

Under FSDP2 each worker has the moments of its own rows, in blocks of their own. A checkpoint names
the blocks by the shard that they belong to, so that the same number of workers carries on bit for
bit; another number, whose shards begin elsewhere, rounds the moments to 8 bits once more.

Shapes: S shards, B blocks of the largest of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard

from assay.chemistry.extras import needing
from assay.errors import CheckpointError, MachineError
from assay.store.language_models import EXTRA, quieten_bitsandbytes

LEAST = 4096
"""Elements of a parameter; smaller ones have moments of 32 bits, as bitsandbytes has it."""
BLOCK = 256
_MOMENTS = ("1", "2")
_TRIAL_RATE = 1e-3


def require_8bit_adamw(device: torch.device) -> None:
    """See, by one step of a block, that bitsandbytes computes with 8 bits on a device.

    Raises:
        MachineError: it is not installed, or does not.
    """
    quieten_bitsandbytes()
    with needing(EXTRA):
        import bitsandbytes
        from bitsandbytes.optim.adamw import AdamW8bit as Theirs

    said = f"bitsandbytes {bitsandbytes.__version__} on device {device.type}"
    else_use = "use training.optimizer=adamw here, or a GPU that bitsandbytes knows"
    try:
        trial = nn.Parameter(torch.zeros(BLOCK, device=device))
        trial.grad = torch.ones_like(trial)
        Theirs([trial], lr=_TRIAL_RATE, min_8bit_size=1).step()
        off = float((trial.detach() + _TRIAL_RATE).abs().max())
    except Exception as error:  # libraries that do not load are told in many ways
        reason = " ".join(str(error).split())[:200]
        raise MachineError(
            f"training.optimizer adamw_8bit: {said} has no 8-bit AdamW ({reason}); {else_use}"
        ) from error
    if not off < 0.1 * _TRIAL_RATE:
        raise MachineError(
            f"training.optimizer adamw_8bit: {said} moves a parameter wrongly; {else_use}"
        )


class AdamW8bit:
    """bitsandbytes' optimizer of that name, on whole parameters or on a worker's shards of them."""

    def __init__(
        self,
        groups: Sequence[Mapping[str, Any]],
        names: Mapping[nn.Parameter, str],
        learning_rate: float,
        betas: tuple[float, float],
    ) -> None:
        """Take in groups of parameters, each with its weight decay.

        Raises:
            MachineError: bitsandbytes is not installed, or does not run where the parameters are.
        """
        self._own = {p: _own(p) for group in groups for p in group["params"]}
        require_8bit_adamw(next(iter(self._own.values())).device)
        from bitsandbytes.optim.adamw import AdamW8bit as Theirs

        self._names = names
        mine = [{**group, "params": [self._own[p] for p in group["params"]]} for group in groups]
        self._optimizer: Any = Theirs(mine, lr=learning_rate, betas=betas, min_8bit_size=1)

    def step(self, rate: float) -> None:
        """Move the parameters along their gradients, at a learning rate."""
        # An empty shard has a state as soon as those of its parameter have one elsewhere.
        idle = {own for p, own in self._own.items() if p.grad is not None and not own.numel()}
        for g, group in enumerate(self._optimizer.param_groups):
            group["lr"] = rate
            for k, own in enumerate(group["params"]):
                if own in idle and not self._optimizer.state[own]:
                    self._optimizer.init_state(group, own, g, k)
        for parameter, own in self._own.items():
            if isinstance(parameter, DTensor):
                own.data = _local(parameter.detach())
                # No kernel runs on a shard without elements.
                there = parameter.grad is not None and own.numel() > 0
                own.grad = _local(cast(Tensor, parameter.grad)) if there else None
        self._optimizer.step()
        for parameter, own in self._own.items():
            if own is not parameter:
                own.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as `<entry>.<parameter>` tensors, and what 8 bits stand for.

        `state1` and `state2` are shaped as the parameter; `absmax1` and `absmax2` are (S, B).
        """
        found: dict[str, Tensor] = {}
        for parameter, own in self._own.items():
            state, name = self._optimizer.state.get(own), self._names[parameter]
            if not state:
                continue
            found[f"step.{name}"] = torch.tensor(float(state["step"]))
            for moment in _MOMENTS:
                codes, absmax_b = state[f"state{moment}"], state[f"absmax{moment}"]
                found[f"state{moment}.{name}"] = _joined(codes, parameter)
                found[f"absmax{moment}.{name}"] = _by_shard(absmax_b, parameter)
        return found | (self._maps() if found else {})

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned, gathered from all workers.

        Raises:
            CheckpointError: the tensors do not fit the parameters, or are of another bitsandbytes.
        """
        maps = self._maps()
        for name, codes in maps.items():
            if name in tensors and not torch.equal(tensors[name].to(codes.device), codes):
                raise CheckpointError(
                    "optimizer state of 8 bits was made by a bitsandbytes whose 8 bits stand for "
                    "other numbers; install the version that the checkpoint was made with"
                )
        for parameter, own in self._own.items():
            name = self._names[parameter]
            if f"step.{name}" not in tensors:
                continue
            state: dict[str, Any] = {"step": int(tensors[f"step.{name}"])}
            for moment in _MOMENTS:
                codes = tensors.get(f"state{moment}.{name}")
                absmax_SB = tensors.get(f"absmax{moment}.{name}")
                if codes is None or absmax_SB is None or codes.shape != parameter.shape:
                    raise CheckpointError(
                        f"optimizer state of {name} has another shape than the model"
                    )
                of_256 = maps[f"qmap{moment}"]
                mine, absmax_b = _cut(codes, absmax_SB, of_256, parameter)
                state |= {f"state{moment}": mine, f"absmax{moment}": absmax_b}
                state[f"qmap{moment}"] = of_256
            self._optimizer.state[own] = state

    def _maps(self) -> dict[str, Tensor]:
        """Return (256,) each: what the 8 bits of either moment stand for."""
        device, found = next(iter(self._own.values())).device, self._optimizer.name2qmap
        for kind in ("dynamic", "udynamic"):
            found[kind] = found[kind].to(device)
        return {"qmap1": found["dynamic"], "qmap2": found["udynamic"]}


def _own(parameter: nn.Parameter) -> nn.Parameter:
    """Return a parameter, or this worker's shard of it, which shares its memory."""
    if not isinstance(parameter, DTensor):
        return parameter
    return nn.Parameter(_local(parameter.detach()))


def _local(whole: Tensor) -> Tensor:
    """Return a worker's shard of a sharded tensor."""
    return cast(DTensor, whole).to_local()


def _place(parameter: Tensor) -> tuple[int, int]:
    """Return into how many shards a parameter is cut, and which one is here."""
    if not isinstance(parameter, DTensor):
        return 1, 0
    return parameter.device_mesh.size(), parameter.device_mesh.get_local_rank()


def _rows(whole: Tensor, shards: int, shard: int) -> Tensor:
    """Return the rows of a shard, which FSDP2 cuts as `torch.chunk` does; the last may be empty."""
    most = -(-len(whole) // shards)
    return whole[shard * most : (shard + 1) * most]


def _blocks(elements: int) -> int:
    return -(-elements // BLOCK)


def _joined(codes: Tensor, parameter: Tensor) -> Tensor:
    """Return a shard of something shaped as the parameter as a part of the whole."""
    if not isinstance(parameter, DTensor):
        return codes
    return DTensor.from_local(
        codes, parameter.device_mesh, parameter.placements, run_check=False,
        shape=parameter.shape, stride=parameter.stride(),
    )  # fmt: skip


def _by_shard(absmax_b: Tensor, parameter: Tensor) -> Tensor:
    """Return (S, B): blocks' largest moments, a shard a row, with zeros behind those of a small."""
    shards, _ = _place(parameter)
    largest = -(-len(parameter) // shards) * (parameter.numel() // len(parameter))
    row_1B = absmax_b.new_zeros(1, _blocks(largest))
    row_1B[0, : len(absmax_b)] = absmax_b
    if not isinstance(parameter, DTensor):
        return row_1B
    return DTensor.from_local(row_1B, parameter.device_mesh, [Shard(0)], run_check=False)


def _cut(
    codes: Tensor, absmax_SB: Tensor, of_256: Tensor, parameter: Tensor
) -> tuple[Tensor, Tensor]:
    """Return this worker's 8 bits and the largest of its blocks.

    Args:
        codes: uint8, of the whole parameter.
        absmax_SB: Of as many shards as there were when it was saved.
        of_256: What 8 bits stand for.
        parameter: Or the shard of it that is here.
    """
    from bitsandbytes import functional

    device = of_256.device
    codes, absmax_SB = codes.to(device), absmax_SB.to(device)
    (shards, shard), saved = _place(parameter), len(absmax_SB)
    if saved == shards:
        mine = _rows(codes, shards, shard)
        return mine.clone(), absmax_SB[shard, : _blocks(mine.numel())].clone()
    parts = [
        functional.dequantize_blockwise(
            part.contiguous(),
            absmax=absmax_b[: _blocks(part.numel())],
            code=of_256,
            blocksize=BLOCK,
        )
        for part, absmax_b in zip(
            (_rows(codes, saved, each) for each in range(saved)), absmax_SB, strict=True
        )
        if part.numel()
    ]
    mine = _rows(torch.cat(parts), shards, shard).contiguous()
    if not mine.numel():
        return mine.to(torch.uint8), absmax_SB.new_zeros(0)
    again, state = functional.quantize_blockwise(mine, code=of_256, blocksize=BLOCK)
    return again, state.absmax
