"""The contract of an encoder: layers that pass messages over a graph, from features to features.

Shapes: V nodes, F features of a node, D width.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from assay.config import SizedSettings
from assay.interactions.messages import Visible
from assay.training.dropout import Dropout


class EncoderSettings(SizedSettings):
    """What every encoder can be told."""

    width: PositiveInt
    depth: PositiveInt
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Between layers."""
    residual: bool = False
    """Add a layer's input to its output, where they are of one width."""
    jumping: Literal["last", "max", "cat"] = "last"
    """Which layers' outputs count: Xu et al., "Jumping knowledge networks", ICML 2018."""
    # Out of the cell where they are off: what was run before them keeps its key.
    initial_residual: float = Field(default=0.0, ge=0, lt=1, exclude_if=lambda share: share == 0)
    """Share α of the first features in every layer's output, (1 - α) of it being the layer's: Chen
    et al., "Simple and deep graph convolutional networks", ICML 2020, equation 5. Features of
    another width are mapped to the layers' by a matrix."""
    init: Literal["default", "orthogonal"] = Field(
        default="default", exclude_if=lambda way: way == "default"
    )
    """How matrices begin: as PyG has them, or orthogonal (Saxe et al., ICLR 2014), and with them
    the learned rows of nodes."""

    @property
    def told_of_edges(self) -> Sequence[str]:
        """What layers are told of edges, by the names of `heuristics.HEURISTICS`."""
        return ()


class Encoder(nn.Module, ABC):
    """Layers with ReLU between them; the last has no activation.

    Renumbering the nodes renumbers the outputs, and changes nothing else.
    """

    Settings: ClassVar[type[EncoderSettings]]

    def __init__(self, settings: EncoderSettings, inputs: int) -> None:
        """Build the layers for features of `inputs` columns."""
        super().__init__()
        self.settings = settings
        widths = [inputs] + [settings.width] * settings.depth
        self.layers = nn.ModuleList(
            self.layer(settings, before, after) for before, after in pairwise(widths)
        )
        names = (f"encoder {number}" for number in range(settings.depth))
        self.dropouts = nn.ModuleList(Dropout(settings.dropout, name) for name in names)
        joined = settings.width * settings.depth
        self.join = nn.Linear(joined, settings.width) if settings.jumping == "cat" else None
        mapped = settings.initial_residual > 0 and inputs != settings.width
        self.first = nn.Linear(inputs, settings.width) if mapped else None
        if settings.init == "orthogonal":
            for parameter in self.parameters():
                if parameter.dim() == 2:
                    nn.init.orthogonal_(parameter)

    @classmethod
    @abstractmethod
    def layer(cls, settings: EncoderSettings, inputs: int, outputs: int) -> nn.Module:
        """Return a layer; it is called with features (V, inputs) and `Visible`."""

    def forward(self, x_VF: Tensor, seen: Visible, nodes_V: Tensor) -> Tensor:
        """Return (V, D) for features of nodes and the graph that they see.

        Args:
            x_VF: Features.
            seen: A graph of V nodes.
            nodes_V: int64, which nodes they are, for the draws of dropout.
        """
        x, kept, share = x_VF, [], self.settings.initial_residual
        first = x_VF if self.first is None else self.first(x_VF)
        for number, layer in enumerate(self.layers):
            if number:
                x = self.dropouts[number](x.relu(), nodes_V)
            y = layer(x, seen)
            y = (1 - share) * y + share * first if share else y
            x = x + y if self.settings.residual and x.shape == y.shape else y
            kept.append(x)
        if self.join is not None:
            return self.join(torch.cat(kept, dim=1))
        return torch.stack(kept).amax(0) if self.settings.jumping == "max" else x
