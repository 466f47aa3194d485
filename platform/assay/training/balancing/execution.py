"""Which ways of computing a step a method of balancing allows, said before the first step."""

from torch import nn

from assay.cell import Cell
from assay.errors import ConfigError
from assay.training.balancing.balance import Balance
from assay.training.execution import Execution
from assay.training.parallel import Workers


def require_balanced_alike(
    model: nn.Module, cell: Cell, execution: Execution, workers: Workers
) -> None:
    """See that a model's balancing gives the weights of whole steps in the execution at hand.

    Raises:
        ConfigError: it would not; the sentence says what to change.
    """
    for module in model.modules():
        if not isinstance(module, Balance):
            continue
        fault = _fault(module, execution, workers)
        if fault is not None:
            raise ConfigError(f"cell {cell.key} ({cell.label}): balancing {module.method} {fault}")


def _fault(balance: Balance, execution: Execution, workers: Workers) -> str | None:
    if balance.needs_whole_batches and execution.accumulation > 1:
        return (
            f"weighs a step's batch as a whole, not in {execution.accumulation} micro-batches: "
            "lower training.batch_size until a batch fits into memory, or choose another method"
        )
    if balance.takes_gradients and execution.compile:
        return (
            "takes gradients within the forward pass, which a compiled model does not allow: run "
            "without compile, or choose another method"
        )
    if balance.takes_gradients and workers.count > 1 and execution.sharding == "fsdp2":
        return (
            "takes gradients within the forward pass, which a sharded model does not allow: use "
            "sharding ddp, or choose another method"
        )
    return None
