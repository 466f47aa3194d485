"""What a solid bridge can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from assay.captioning.contrast import ContrastSettings
from assay.captioning.encoder import EncoderSettings
from assay.captioning.generator import TrainedSettings
from assay.captioning.masking import MaskingSettings
from assay.config import Settings, Size, SizedSettings
from assay.store.language_models import LoraSettings, WeightsSettings

Inputs = Literal["both", "graph", "smiles"]
GRAPH_WIDTH = 768
"""Of the encoder's embedding of a molecule, unless told otherwise."""
Share = Annotated[float, Field(ge=0, lt=1)]


class ScratchSettings(SizedSettings):
    """A small Qwen3 with random weights, for machines without any, and its vocabulary."""

    presets: ClassVar[Mapping[Size, Mapping[str, Any]]] = {
        "xs": {"width": 64, "depth": 2, "heads": 4},
        "s": {"width": 128, "depth": 4, "heads": 4},
        "m": {"width": 256, "depth": 6, "heads": 8},
        "l": {"width": 512, "depth": 8, "heads": 8},
        "xl": {"width": 1024, "depth": 12, "heads": 16},
    }

    width: PositiveInt
    depth: PositiveInt
    heads: PositiveInt
    vocabulary: int = Field(default=2048, ge=257)
    """Byte-level subwords of the training split's captions and prompts, at most, with the mark of
    the end."""

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        if self.width % self.heads or self.heads % 2 or self.width // self.heads % 2:
            raise ValueError(
                f"width {self.width} and heads {self.heads}: give an even number of heads, each "
                "of an even width"
            )
        return self


class AlignmentSettings(Settings):
    """What stage 1 minimises: weighted costs of a graph token against its description's embedding.

    A weight of 0 removes the cost.
    """

    target: Literal["embeddings", "hidden"] = "embeddings"
    """The mean over the description's tokens of the language model's input embeddings, which is
    where a graph token is put, or of its last hidden states."""
    mse: float = Field(default=1.0, ge=0)
    """Mean squared error, in units of the descriptions' variance."""
    cosine: float = Field(default=1.0, ge=0)
    """1 - cos."""
    info_nce: float = Field(default=1.0, ge=0)
    """Contrast with the other descriptions of the batch."""
    temperature: float = Field(default=0.07, gt=0.01, le=1)

    @model_validator(mode="after")
    def _something_to_minimise(self) -> Self:
        if not self.mse + self.cosine + self.info_nce > 0:
            raise ValueError("mse, cosine and info_nce are all 0: nothing to align by")
        return self


class GateSettings(Settings):
    """What it takes for stage 2 to begin."""

    required: bool = True
    """Stop where held-out retrieval is no better than with shuffled pairs; else warn and go on."""
    records: int = Field(default=512, ge=8)
    """Descriptions that stages 0 and 1 are not shown, at most and of at most an eighth of the
    training split; each text counts once."""


class StageSettings(Settings):
    """Shares of the budget; stage 2 has the rest."""

    pretrain: Share = 0.3
    """Stage 0: the graph encoder, by contrast with the captions; 0 leaves it random."""
    align: Share = 0.2
    """Stage 1: the projector alone."""

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.pretrain + self.align >= 1:
            raise ValueError("pretrain and align take the whole budget; leave some to stage 2")
        return self


class BridgeSettings(TrainedSettings):
    """Of encoder, projector, language model and the three stages."""

    inputs: Inputs = "both"
    """What the prompt tells of a molecule. With smiles alone nothing of the graph is built, and
    there are no stages before the last."""
    encoder: EncoderSettings = Field(default=None, validate_default=True)  # pyright: ignore
    """Its embedding of a molecule is 768 wide unless `outputs` says otherwise."""
    contrast: ContrastSettings = ContrastSettings()
    masking: MaskingSettings | None = None
    """Atoms hidden from the encoder, which it is to tell, beside the contrast of stage 0."""
    graph_tokens: int = Field(default=1, ge=1, le=64)
    """K, in which the language model is told of the graph."""
    projector_width: PositiveInt = 1024
    """Of its two hidden layers; the last is as wide as the language model."""
    language_model: WeightsSettings | None = None
    """Also by its folder or name alone."""
    scratch: ScratchSettings | None = None
    """Where no language model is given."""
    adapt: Literal["lora", "full"] | None = None
    """What learns of the language model in stage 2; by default adapters where weights are given,
    and everything where they are random: those have no language to keep."""
    lora: LoraSettings | None = None
    stages: StageSettings = StageSettings()
    alignment: AlignmentSettings = AlignmentSettings()
    gate: GateSettings = GateSettings()
    context: int = Field(default=512, ge=64)
    """Tokens of prompt and description, at most, neighbours not counted. A longer SMILES is cut to
    half of them, a longer description to what is left."""
    gradient_checkpointing: bool = False
    """Compute a block's activations anew in the backward pass instead of keeping them."""

    @property
    def reads(self) -> int:
        """Return how many tokens the language model reads, at most."""
        return self.context + self.neighbours * self.neighbour_tokens

    @field_validator("encoder", mode="before")
    @classmethod
    def _as_wide_as_the_bridge(cls, given: Any) -> Any:
        given = {"size": "m"} if given is None else given
        return {"outputs": GRAPH_WIDTH, **given} if isinstance(given, Mapping) else given

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_language_model(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        given = dict(given)
        weights = given.get("language_model")
        if isinstance(weights, str):
            given["language_model"] = {"model": weights}
        if weights is None and given.get("scratch") is None:
            given["scratch"] = {}
        if given.get("adapt") is None:
            given["adapt"] = "full" if weights is None else "lora"
        if given["adapt"] == "lora" and given.get("lora") is None:
            given["lora"] = {}
        return given

    @model_validator(mode="after")
    def _one_language_model(self) -> Self:
        weights = self.language_model
        if weights is not None and self.scratch is not None:
            raise ValueError("scratch describes random weights; leave it out beside language_model")
        if self.adapt == "full" and self.lora is not None:
            raise ValueError("lora belongs to adapt: lora")
        if self.masking is not None and (self.inputs == "smiles" or not self.stages.pretrain):
            raise ValueError("masking belongs to stage 0, which these settings leave out")
        if self.inputs == "smiles" and self.graphs == "shuffled":
            raise ValueError("graphs: shuffled has no effect where inputs are smiles")
        if weights is not None and weights.quantise == "nf4" and self.adapt == "full":
            raise ValueError("weights of 4 bits do not learn; adapt: lora, or quantise: none")
        return self


class BridgeRetrievalSettings(BridgeSettings):
    """Of the solid bridge with retrieval in context."""

    neighbours: PositiveInt = 2


class GraphOnlySettings(BridgeSettings):
    """Of the solid bridge that reads no SMILES."""

    inputs: Literal["graph"] = "graph"  # pyright: ignore[reportIncompatibleVariableOverride]


class TextOnlySettings(BridgeSettings):
    """Of the language model alone."""

    inputs: Literal["smiles"] = "smiles"  # pyright: ignore[reportIncompatibleVariableOverride]
