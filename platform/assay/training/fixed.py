"""Models of which a part never learns, such as a language model under adapters.

What never learns is no parameter of the model: it is not counted, averaged or written to
checkpoints, and copies of the model share it. The settings of a cell name it, by digest or commit.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn


class PartlyFixed(nn.Module, ABC):
    """A module whose parameters and buffers of some names never change."""

    not_in_shards: ClassVar[str] = ""
    """Why FSDP2 cannot cut it into shards, as the end of a sentence; empty where it can."""

    def __init__(self) -> None:
        super().__init__()
        self.register_state_dict_post_hook(_without_what_is_fixed)
        self.register_load_state_dict_post_hook(_missing_nothing_fixed)

    @abstractmethod
    def is_fixed(self, name: str) -> bool:
        """Say whether a parameter or buffer of that name belongs to what never learns."""

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield what learns in some stage."""
        begin = len(prefix) + bool(prefix)
        for name, parameter in super().named_parameters(prefix, recurse, remove_duplicate):
            if not self.is_fixed(name[begin:]):
                yield name, parameter

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy what learns; share what does not, which may be most of the memory."""
        for name, parameter in super().named_parameters():
            if self.is_fixed(name):
                memo[id(parameter)] = parameter
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        for name, value in self.__dict__.items():
            vars(twin)[name] = copy.deepcopy(value, memo)
        return twin

    def share_fixed(self, other: nn.Module) -> None:
        """Hold what never learns once, together with a copy that was cut into the same shards."""
        theirs = dict(nn.Module.named_parameters(other, remove_duplicate=False))
        for path, module in self.named_modules():
            for leaf in module._parameters:
                name = f"{path}.{leaf}" if path else leaf
                if self.is_fixed(name) and name in theirs:
                    module._parameters[leaf] = theirs[name]


def _without_what_is_fixed(
    model: PartlyFixed, state: dict[str, Tensor], prefix: str, metadata: Mapping[str, Any]
) -> None:
    for name in [name for name in state if model.is_fixed(name[len(prefix) :])]:
        del state[name]


def _missing_nothing_fixed(model: PartlyFixed, found: Any) -> None:
    kept = [name for name in found.missing_keys if not model.is_fixed(name)]
    found.missing_keys[:] = kept
