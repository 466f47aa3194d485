"""Latent prefix: a molecule takes the place of the text in an autoencoder of captions.

    1 autoencoder   T5 learns to write a caption again from the first K states of its encoder
    2 graph         a GINE encoder learns to make such a latent of a molecule: near the one of its
                    caption (squared error and cosine), and one that the frozen decoder reads as
                    that caption (cross-entropy)
    3 writing       the decoder writes from the molecule's latent, in `evaluate`

The autoencoder's own captions of the test split are judged, too, as `autoencoder/…`: it was given
the reference, so no graph does better by this decoder.

What stage 2 aims at is computed once, when the stage begins, and not in every step; no FLOPs are
counted for that one pass of T5's encoder over the training captions.

Shapes: B records, K latents, D width of T5.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from assay.captioning.decoding import write
from assay.captioning.encoder import EncoderSettings
from assay.captioning.generator import (
    Corpus,
    Generator,
    GeneratorSettings,
    TrainedSettings,
    others,
)
from assay.captioning.latent_prefix_model import (
    LatentBatch,
    LatentPrefixModel,
    LatentRecords,
    Terms,
    as_encoded,
)
from assay.captioning.t5 import (
    SmallT5Settings,
    T5Weights,
    Vocabulary,
    learned_vocabulary,
    pretrained_t5,
    pretrained_vocabulary,
    small_t5,
)
from assay.captioning.tokens import TextBatch, TokenRecords
from assay.errors import ConfigError
from assay.task import Batch, Loss, Progress, Records, Stage

AUTOENCODER, GRAPH = "autoencoder", "graph"
_ATOMS = 128
"""Batches whose atoms differ by less count as equally costly: graphs cost little beside texts."""
_AT_ONCE = 64
_PASSES = 4.0
"""That a text takes to be written, in losses of one record without gradient; as measured."""


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
    autoencoder_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the budget, for the first stage."""
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
        if isinstance(named, str):
            return {**given, "language_model": {"model": named}}
        return given if named or given.get("small") else {**given, "small": {}}

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.language_model is not None and self.small is not None:
            raise ValueError("small belongs to a T5 that starts from nothing; drop language_model")
        if self.small is not None and not self.finetuned:
            raise ValueError("finetuned false: a small T5 that starts from nothing has to learn")
        if not (self.mse or self.cosine or self.cross_entropy):
            raise ValueError("mse, cosine, cross_entropy: one weight at least is greater than 0")
        if self.unfrozen_layers and not self.cross_entropy:
            raise ValueError("unfrozen_layers learn by cross_entropy, whose weight is 0")
        if self.context < self.latents:
            raise ValueError(f"latents {self.latents} of a context of {self.context} tokens")
        return self


class LatentPrefix(Generator):
    """An autoencoder of captions whose latent a graph encoder learns to make."""

    Settings: ClassVar[type[GeneratorSettings]] = LatentPrefixSettings

    def __init__(self, settings: LatentPrefixSettings, seed: int, corpus: Corpus) -> None:
        """Learn the subwords, or open those of the pretrained model.

        Raises:
            DataError: the pretrained model cannot be used.
            MachineError: a package is missing.
        """
        self.settings, self.seed = settings, seed
        self.vocabulary = _vocabulary(settings, corpus)
        self._model: LatentPrefixModel | None = None

    def records(self, records: Records) -> TokenRecords:
        """Return the records with tokens, of which there are as many as latents at least."""
        chosen, words = self.settings, self.vocabulary
        return TokenRecords(records, words.encode, chosen.context, words.padding, chosen.latents)

    def note(self, records: Records) -> str:
        """Return how many captions are cut."""
        cut, most = cast(TokenRecords, records).cut, self.settings.context
        return f"{cut:,} training captions are cut at {most} tokens" if cut else ""

    def model(self) -> LatentPrefixModel:
        """Return T5, `from_enc`, and a new graph encoder.

        Raises:
            ConfigError: more layers are unfrozen than the decoder has.
        """
        chosen = self.settings
        if chosen.language_model is not None:
            t5 = pretrained_t5(chosen.language_model, self.vocabulary)
        else:
            assert chosen.small is not None
            t5 = small_t5(chosen.small, self.vocabulary)
        if chosen.unfrozen_layers > len(t5.decoder.block):
            raise ConfigError(
                f"settings.generator.unfrozen_layers {chosen.unfrozen_layers}: the decoder has "
                f"{len(t5.decoder.block)} layers"
            )
        terms = Terms(chosen.mse, chosen.cosine, chosen.cross_entropy)
        self._model = LatentPrefixModel(t5, chosen.encoder, chosen.latents, terms)
        return self._model

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the autoencoder's stage and the graph's."""
        chosen = self.settings
        needs_latents = bool(chosen.mse or chosen.cosine)
        records = LatentRecords(train, self._latents, _AT_ONCE) if needs_latents else None
        share = chosen.autoencoder_share
        return (
            Stage(AUTOENCODER, share, self._of_autoencoder),
            Stage(GRAPH, 1 - share, self._of_graph, records),
        )

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return the padded shape of the texts and, where graphs are read, about how many atoms."""
        batch = cast(TextBatch, batch)
        shape = tuple(batch.tokens_BT.shape)
        return (*shape, len(batch.graphs.molecule_N) // _ATOMS, isinstance(batch, LatentBatch))

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the weighted sum of the stage's parts."""
        if stage.name == AUTOENCODER:
            parts = model(batch, "autoencoder")
            return Loss(parts["cross_entropy"], parts)
        parts = model(batch, "bridge")
        total = sum(getattr(self.settings, name) * value for name, value in parts.items())
        return Loss(cast(Tensor, total), parts)

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Return the stage's loss and its parts."""
        count = min(self.settings.validation_molecules, len(records))
        device = next(model.parameters()).device
        totals: dict[str, float] = {}
        for indices in np.array_split(np.arange(count), -(-count // _AT_ONCE)):
            batch = records.batch(indices).to(device)
            with torch.no_grad():
                loss = self.loss(model, batch, stage, 0)
            for name, value in {"loss": loss.total, **loss.parts}.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(indices) / count
        return totals

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return what the decoder writes from the latents of molecules."""
        if self.settings.graphs == "shuffled":
            indices = indices[others(len(indices))]
        return self._written(model, records, indices, "graph", lambda f: progress("captions", f))

    def ceilings(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> Mapping[str, list[str]]:
        """Return what the decoder writes from the latents of the references themselves."""
        done = lambda f: progress("autoencoder", f)  # noqa: E731
        return {AUTOENCODER: self._written(model, records, indices, "text", done)}

    def passes(self) -> float:
        """Return the cost of two texts, which are written a token at a time."""
        return 2 * _PASSES * (self.settings.decoding.beams or 1)

    def _written(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        of: str,
        done: Callable[[float], None],
    ) -> list[str]:
        device, decoding = next(model.parameters()).device, self.settings.decoding
        texts: list[str] = []
        for start in range(0, len(indices), decoding.batch_size):
            batch = records.batch(indices[start : start + decoding.batch_size]).to(device)
            with torch.no_grad():
                latents_BKD = model(batch, of)["latents"]
            tokens_BT = write(
                cast(LatentPrefixModel, model).t5,
                decoding,
                self.seed,
                batch.record_ids,
                encoder_outputs=as_encoded(latents_BKD),
                attention_mask=latents_BKD.new_ones(latents_BKD.shape[:2], dtype=torch.long),
            )
            found = self.vocabulary.decode(tokens_BT.tolist())
            texts += [text.strip() for text in found]
            done(len(texts) / len(indices))
        return texts

    def _latents(self, batch: TextBatch) -> Tensor:
        """Return the latents of captions by the model that is trained, as it is now."""
        assert self._model is not None, "a model is trained before its records are read"
        device = next(self._model.parameters()).device
        with torch.no_grad():
            return self._model(batch.to(device), "text")["latents"].cpu()

    def _of_autoencoder(self, name: str) -> bool:
        return name.startswith("from_enc.") or (self.settings.finetuned and name.startswith("t5."))

    def _of_graph(self, name: str) -> bool:
        if name.startswith(("graph.", "readout.")):
            return True
        assert self._model is not None
        depth, count = len(self._model.t5.decoder.block), self.settings.unfrozen_layers
        last = tuple(f"t5.decoder.block.{k}." for k in range(depth - count, depth))
        return bool(last) and name.startswith(last)


def _vocabulary(settings: LatentPrefixSettings, corpus: Corpus) -> Vocabulary:
    if settings.language_model is not None:
        return pretrained_vocabulary(settings.language_model)
    assert settings.small is not None
    return learned_vocabulary(settings.small, corpus.captions)
