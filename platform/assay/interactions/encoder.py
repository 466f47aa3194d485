"""The contract of an encoder: a graph at its making, features of its nodes in and out.

Shapes: V nodes, D width.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import PositiveInt
from torch import Tensor, nn

from assay.config import SizedSettings
from assay.interactions.data.links import Graph


class EncoderSettings(SizedSettings):
    """What every encoder can be told."""

    width: PositiveInt
    depth: PositiveInt


class Encoder(nn.Module, ABC):
    """Passes messages over the whole graph; how the graph is held is the encoder's own affair.

    Renumbering the nodes renumbers the outputs, and changes nothing else.
    """

    Settings: ClassVar[type[EncoderSettings]]

    @abstractmethod
    def __init__(self, settings: EncoderSettings, graph: Graph) -> None:
        """Build the encoder for the messages of `graph`."""
        super().__init__()

    @abstractmethod
    def forward(self, x_VD: Tensor) -> Tensor:
        """Return (V, D) for the features (V, D) of all nodes."""
