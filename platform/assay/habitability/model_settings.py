"""What a model of planets can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from assay.config import Settings, Size, SizedSettings
from assay.pathways.graph_vae_settings import GraphVAESettings
from assay.store.language_models import LoraSettings, WeightsSettings
from assay.training.balancing.catalog import Balancing
from assay.training.balancing.fixed import FixedSettings

NETWORK: Mapping[str, Any] = {"size": "xs", "environment": "none", "weights": {"degree": 1.0}}
"""Of the Graph VAE, unless told otherwise."""
Share = Annotated[float, Field(ge=0, lt=1)]


class LossWeights(Settings):
    """Of the four losses."""

    classification: NonNegativeFloat = 1.0
    """What is foretold: habitability, and beside it liquid water and the environment."""
    reconstruction: NonNegativeFloat = 0.1
    """Of each modality from all that is there, and of the network by its Graph VAE."""
    physics: NonNegativeFloat = 0.2
    """What the rebuilt climate and network violate."""
    consistency: NonNegativeFloat = 0.15
    """That the modalities of one planet know each other."""


class ScheduleSettings(Settings):
    """Shares of the budget that go before the joint training, which has the rest."""

    experts: Share = 0.0
    """For each encoder alone, all of them side by side: its modality's own head foretells and
    rebuilds by that modality's tokens, and the Graph VAE minimises what is its own."""
    fusion: Share = 0.0
    """For the fusion and the heads, on encoders that stand still."""

    @model_validator(mode="after")
    def _some_and_not_all(self) -> Self:
        if not self.experts + self.fusion:
            raise ValueError("gives no stage a share: give experts or fusion one, or leave it out")
        if self.experts + self.fusion >= 1:
            raise ValueError("experts and fusion take the whole budget; leave some to all jointly")
        return self


class ModelSettings(SizedSettings):
    """Of encoders, heads and losses; a fusion's own settings derive from it."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 32, "depth": 1, "heads": 2},
        "s": {"width": 64, "depth": 2, "heads": 4},
        "m": {"width": 128, "depth": 3, "heads": 4},
        "l": {"width": 256, "depth": 4, "heads": 8},
    }
    width: PositiveInt
    """Of tokens and of the fused state."""
    depth: PositiveInt
    """Blocks of attention, in the text encoder and in the fusion."""
    heads: PositiveInt
    graph: GraphVAESettings = Field(default=None, validate_default=True)  # pyright: ignore
    """The Graph VAE of metabolic networks; xs, and told of no environment."""
    language_model: WeightsSettings | None = None
    """Which reads descriptions in the place of the small Transformer; also by its folder or name
    alone. Its adapters learn, and nothing else of it."""
    lora: LoraSettings | None = None
    """Of the adapters."""
    gradient_checkpointing: bool = False
    """Compute a language model's activations anew in the backward pass instead of keeping them."""
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The chance of each modality to be hidden from the fusion in a step; never all of them."""
    auxiliary: PositiveFloat = 0.1
    """How much liquid water and environment count within `classification`."""
    negatives: PositiveInt = 32
    """Training planets, the same for all of a step, that a planet is to be told from."""
    temperature: Annotated[float, Field(gt=0.01, le=1)] = 0.1
    """Of that contrast."""
    weights: LossWeights = LossWeights()
    balancing: Balancing = FixedSettings()
    """Where the weights of a step come from: by default they are the given ones."""
    # Left out of the cell where there is none: a key is of what is trained.
    schedule: ScheduleSettings | None = Field(default=None, exclude_if=lambda given: given is None)
    """Of the stages of training: by default everything learns from the first step to the last."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_language_model(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("language_model") is None:
            return given
        weights, lora = given["language_model"], given.get("lora")
        weights = {"model": weights} if isinstance(weights, str) else weights
        return {**given, "language_model": weights, "lora": {} if lora is None else lora}

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_network(cls, given: Any) -> Any:
        """A key of `graph` that is not given is that of `NETWORK`."""
        if not isinstance(given, Mapping):
            return given
        graph = given.get("graph") or {}
        if isinstance(graph, Mapping):
            weights = graph.get("weights") or {}
            if isinstance(weights, Mapping):
                graph = {**NETWORK, **graph, "weights": {**NETWORK["weights"], **weights}}
            return {**given, "graph": graph}
        return given

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} is no even multiple of heads {self.heads}")
        if self.language_model is None and (self.lora is not None or self.gradient_checkpointing):
            raise ValueError("lora and gradient_checkpointing belong to language_model")
        if self.graph.environment != "none":
            raise ValueError(
                "graph.environment: the environment is a target here, which no encoder is told; "
                "leave it at none"
            )
        learned = self.weights.classification + self.weights.reconstruction
        if self.schedule is not None and self.schedule.experts and not learned:
            raise ValueError(
                "schedule.experts: experts learn by classification and reconstruction, whose "
                "weights are both 0; leave it out"
            )
        if not self.graph.weights.degree:
            raise ValueError(
                "graph.weights.degree: is the graph's part of physics; give it above 0"
            )
        return self
