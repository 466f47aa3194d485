"""Random numbers as a function of (seed, step, record id), never of a generator's state.

One worker, two workers, a resumed run and a halved micro-batch therefore see the same draws, and
padding a batch differently changes none of them. The generator is SplitMix64 used as a keyed hash:
Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

Shapes: B records.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15, the odd integer nearest 2^64 / φ
_MULTIPLY_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MULTIPLY_2 = -7723592293110705685  # 0x94D049BB133111EB


@dataclass(frozen=True)
class Draws:
    """The draws of one step; every `name` is an independent stream.

    A draw of shape (B, *shape) is filled in row-major order, so that its leading dimension may
    be padded further without changing what stands before.
    """

    seed: int
    step: int
    record_ids: Tensor
    """(B,) int64."""

    def bits(self, name: str, *shape: int) -> Tensor:
        """Return int64 (B, *shape): 64 random bits each."""
        return self._bits(name, shape, per_element=1)[..., 0]

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Return float32 (B, *shape) in the open interval (0, 1)."""
        return _to_unit(self._bits(name, shape, per_element=1)[..., 0])

    def normal(self, name: str, *shape: int) -> Tensor:
        """Return float32 (B, *shape), standard normal (Box-Muller)."""
        unit = _to_unit(self._bits(name, shape, per_element=2))
        radius = torch.sqrt(-2.0 * torch.log(unit[..., 0]))
        return radius * torch.cos(2.0 * torch.pi * unit[..., 1])

    def categorical(self, name: str, probabilities: Tensor) -> Tensor:
        """Return int64 (B, …): one class drawn from each row of `probabilities` (B, …, K)."""
        cumulative = probabilities.cumsum(-1)
        unit = self.uniform(name, *probabilities.shape[1:-1]).unsqueeze(-1)
        drawn = (cumulative < unit * cumulative[..., -1:]).sum(-1)
        return drawn.clamp(max=probabilities.shape[-1] - 1)

    def rotation(self, name: str) -> Tensor:
        """Return float32 (B, 3, 3): uniform rotations, from uniform unit quaternions."""
        w, x, y, z = torch.nn.functional.normalize(self.normal(name, 4), dim=-1).unbind(-1)
        rows = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def coin(self, name: str, probability: float) -> bool:
        """Return one decision for the whole step, the same on every worker."""
        unit = Draws(self.seed, self.step, torch.zeros(1, dtype=torch.int64)).uniform(name)
        return bool(unit.item() < probability)

    def _bits(self, name: str, shape: tuple[int, ...], per_element: int) -> Tensor:
        ids_B = self.record_ids
        state = fold(self.seed, name) + self.step * _GOLDEN
        state_B = _mix(_mix(ids_B * _MULTIPLY_1) ^ _mix(_wrap(state, ids_B)))
        count = per_element
        for size in shape:
            count *= size
        counter = torch.arange(1, count + 1, device=ids_B.device, dtype=torch.int64) * _GOLDEN
        bits = _mix(state_B.unsqueeze(-1) + counter)
        return bits.reshape(len(ids_B), *shape, per_element)


def fold(seed: int, *parts: int | str) -> int:
    """Return a non-negative 63-bit seed that depends on every part."""
    text = ":".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _wrap(value: int, like: Tensor) -> Tensor:
    """A Python integer as int64, modulo 2^64."""
    value &= 0xFFFFFFFFFFFFFFFF
    signed = value - (1 << 64) if value >> 63 else value
    return torch.tensor(signed, dtype=torch.int64, device=like.device)


def _shift(bits: Tensor, by: int) -> Tensor:
    """Logical shift to the right: torch's own keeps the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _mix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift(bits, 30)) * _MULTIPLY_1
    bits = (bits ^ _shift(bits, 27)) * _MULTIPLY_2
    return bits ^ _shift(bits, 31)


def _to_unit(bits: Tensor) -> Tensor:
    """The upper 24 bits as float32, in the open interval (0, 1)."""
    unit = (_shift(bits, 40).to(torch.float32) + 0.5) * (1.0 / (1 << 24))
    return unit.clamp(max=1.0 - 2.0**-24)  # the largest one would be rounded up to 1
