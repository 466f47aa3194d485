"""What a latent prefix can be told."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from assay.captioning.contrast import ContrastSettings
from assay.captioning.encoder import EncoderSettings
from assay.captioning.generator import TrainedSettings
from assay.captioning.masking import MaskingSettings
from assay.captioning.t5 import SmallT5Settings, T5Weights


class LatentPrefixSettings(TrainedSettings):
    """Of the latent prefix."""

    encoder: EncoderSettings = EncoderSettings.model_validate({})
    """Of molecules."""
    language_model: T5Weights | None = None
    """A pretrained T5: an absolute path, or {model, revision} on the hub. Without it, `small`."""
    small: SmallT5Settings | None = None
    """A T5 that starts from nothing, where there is no language_model."""
    finetuned: bool = True
    """Whether T5's weights learn in the first stage, or `from_enc` alone."""
    latents: PositiveInt = 16
    """Encoder states that are kept, K."""
    context: Annotated[int, Field(ge=8)] = 256
    """Tokens of a caption in training; a longer one is cut."""
    pretrain_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of the budget, for the graph encoder alone, by contrast with captions; 0 leaves it out."""
    contrast: ContrastSettings | None = None
    """Of that stage; its text encoder reads T5's own tokens."""
    masking: MaskingSettings | None = None
    """Atoms hidden from the encoder in that stage, which it is to tell."""
    autoencoder_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the budget, for the autoencoder."""
    mse: NonNegativeFloat = 1.0
    """Weight of the squared error of the graph's latent."""
    cosine: NonNegativeFloat = 1.0
    """Weight of 1 - its cosine with the caption's."""
    cross_entropy: NonNegativeFloat = 1.0
    """Weight of how the decoder reads it. A weight of 0 leaves a term out."""
    unfrozen_layers: NonNegativeInt = 0
    """The last layers of the decoder, which learn in the second stage, too."""

    @model_validator(mode="before")
    @classmethod
    def _a_path_or_a_small_one(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        named = given.get("language_model")
        if given.get("pretrain_share") and given.get("contrast") is None:
            given = {**given, "contrast": {}}
        if isinstance(named, str):
            return {**given, "language_model": {"model": named}}
        return given if named or given.get("small") else {**given, "small": {}}

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.language_model is not None and self.small is not None:
            raise ValueError("small belongs to a T5 that starts from nothing; drop language_model")
        if self.small is not None and not self.finetuned:
            raise ValueError("finetuned false: a small T5 that starts from nothing has to learn")
        if self.pretrain_share + self.autoencoder_share >= 1:
            raise ValueError("pretrain_share and autoencoder_share leave nothing to the graph")
        if not self.pretrain_share and (self.contrast is not None or self.masking is not None):
            raise ValueError("contrast and masking belong to pretrain_share, which is 0")
        if not (self.mse or self.cosine or self.cross_entropy):
            raise ValueError("mse, cosine, cross_entropy: one weight at least is greater than 0")
        if self.unfrozen_layers and not self.cross_entropy:
            raise ValueError("unfrozen_layers learn by cross_entropy, whose weight is 0")
        if self.context < self.latents:
            raise ValueError(f"latents {self.latents} of a context of {self.context} tokens")
        return self


class LatentPrefixRetrievalSettings(LatentPrefixSettings):
    """Of the latent prefix with retrieval in context."""

    neighbours: PositiveInt = 2
