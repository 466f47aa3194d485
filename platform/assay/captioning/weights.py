"""Weights that a module holds under several names, and a checkpoint under one."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def keep_tied_once(module: nn.Module) -> None:
    """Leave all but the first name of each parameter out of `state_dict`, and fill them in again.

    Embeddings that language models share with their output have several names; safetensors keeps
    no tensor twice. What is loaded may name all of them or the first ones alone.
    """
    first: dict[int, str] = {}
    twins: dict[str, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        kept = first.setdefault(id(parameter), name)
        if kept != name:
            twins[name] = kept

    def leave_out(module: nn.Module, state: dict[str, Tensor], prefix: str, _: Any) -> None:
        for name in twins:
            state.pop(prefix + name, None)

    def fill_in(
        module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Mapping[str, Any]
    ) -> None:
        for name, kept in twins.items():
            if prefix + kept in state:
                state[prefix + name] = state[prefix + kept]

    module.register_state_dict_post_hook(leave_out)
    module.register_load_state_dict_pre_hook(fill_in)
