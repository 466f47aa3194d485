"""The mean that every loss of a model of pathways is.

Shapes: B graphs.
"""

from torch import Tensor


def mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean over graphs of the mean of what counts of each; 0 where nothing does.

    Args:
        values: (B, …).
        counted: bool, of the same shape.
    """
    kept = values.masked_fill(~counted, 0).flatten(1).sum(1)
    return (kept / counted.flatten(1).sum(1).clamp(min=1)).mean()
