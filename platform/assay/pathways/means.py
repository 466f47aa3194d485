"""The mean that every loss of a model of pathways is.

Shapes: B graphs, P entries of a list.
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


def mean_of_list(values_P: Tensor, counted_P: Tensor, graph_P: Tensor, graphs: int) -> Tensor:
    """Return the same mean of entries in a list, each of one of the B `graphs`.

    Args:
        values_P: Of the entries.
        counted_P: bool.
        graph_P: int64, whose each entry is.
        graphs: B, those without an entry among them.
    """
    zeros_B = values_P.new_zeros(graphs)
    kept_B = zeros_B.index_add(0, graph_P, values_P.masked_fill(~counted_P, 0))
    count_B = zeros_B.index_add(0, graph_P, counted_P.to(values_P.dtype))
    return (kept_B / count_B.clamp(min=1)).mean()
