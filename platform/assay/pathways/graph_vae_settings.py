"""What a Graph VAE can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from assay.config import Size, SizedSettings
from assay.pathways.candidates import Sparsity
from assay.pathways.conditions import Way
from assay.pathways.encoder import LatentSettings
from assay.pathways.encodings import Encodings
from assay.pathways.model import ModelSettings
from assay.pathways.objective import Kullback, Weights

Share = Annotated[float, Field(ge=0, lt=1)]


class GraphVAESettings(SizedSettings, ModelSettings):
    """Of the encoder, the decoder and the objective."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 1, "heads": 2, "pairs": 8},
        "s": {"width": 64, "depth": 2, "heads": 4, "pairs": 16},
        "m": {"width": 128, "depth": 3, "heads": 4, "pairs": 32},
        "l": {"width": 256, "depth": 4, "heads": 8, "pairs": 32},
    }
    width: PositiveInt
    depth: PositiveInt
    """Blocks of the encoder, unless it is an ODE, and of the decoder."""
    heads: PositiveInt
    pairs: PositiveInt
    """Width of what the encoder sees of a pair."""
    latents: LatentSettings = LatentSettings()
    encodings: Encodings = Encodings()
    environment: Way = "both"
    """How encoder and decoder are told of the environment."""
    directed: bool = True
    """False for comparison: both directions of an edge are given one score."""
    uncertain: bool = True
    """Whether the decoder says of each pair how sure it is."""
    named: bool = True
    """Whether edges are decoded given the compounds, which are decoded first."""
    rounds: NonNegativeInt = 1
    """Of refinement: messages along the edges as they are decoded."""
    flow: NonNegativeInt = 0
    """Couplings of the graphs' prior; without any it is a standard normal."""
    ode_steps: NonNegativeInt = 0
    """Steps of the encoder as an ordinary differential equation; 0: blocks instead."""
    hidden: Share = 0.2
    """Of the pairs of a graph, whose edges the encoder does not see."""
    perturbation: PositiveFloat = 0.2
    """Root mean square of the entries of the adversarial shift of a graph's compounds."""
    balance: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How edges, which are few, are weighted: (non-edges / edges) to this power."""
    connected: bool = True
    """Whether generated graphs begin as a weakly spanning tree of the most likely edges."""
    sparsity: Sparsity = Sparsity()
    """How graphs of many nodes are spared the square of their nodes."""
    weights: Weights = Weights()
    kullback: Kullback = Kullback()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        if self.named and not (self.weights.compounds and self.latents.nodes):
            raise ValueError("named needs weights.compounds and latents.nodes, or is false")
        changed = self.perturbation != type(self).model_fields["perturbation"].default
        if changed and not self.weights.adversarial:
            raise ValueError("perturbation has no effect without weights.adversarial")
        if self.weights.contrast and not self.hidden:
            raise ValueError("weights.contrast compares views without some edges: give hidden")
        return self
