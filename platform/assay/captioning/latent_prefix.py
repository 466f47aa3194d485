"""Latent prefix: a molecule takes the place of the text in an autoencoder of captions.

    0 pretrain      if it has a share: the graph encoder alone, by contrast with captions
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
from typing import ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.captioning.decoding import write
from assay.captioning.frozen import Weights
from assay.captioning.generator import (
    Corpus,
    Generator,
    GeneratorSettings,
    mean_losses,
    others,
)
from assay.captioning.latent_prefix_model import (
    LatentPrefixModel,
    LatentRecords,
    Terms,
    as_encoded,
)
from assay.captioning.latent_prefix_settings import (
    LatentPrefixRetrievalSettings,
    LatentPrefixSettings,
)
from assay.captioning.neighbours import NeighbourTexts
from assay.captioning.pretraining import STAGE as PRETRAIN
from assay.captioning.reranking import most_consistent
from assay.captioning.t5 import (
    Vocabulary,
    learned_vocabulary,
    pretrained_t5,
    pretrained_vocabulary,
    small_t5,
)
from assay.captioning.tokens import StagedRecords, TextBatch, TokenRecords, in_parts
from assay.errors import ConfigError
from assay.task import Batch, Loss, Progress, Records, Stage

AUTOENCODER, GRAPH = "autoencoder", "graph"
_ATOMS = 128
"""Batches whose atoms differ by less count as equally costly: graphs cost little beside texts."""
_AT_ONCE = 64
_PASSES = 4.0
"""That a text takes to be written, in losses of one record without gradient; as measured."""


class LatentPrefix(Generator):
    """An autoencoder of captions whose latent a graph encoder learns to make."""

    Settings: ClassVar[type[GeneratorSettings]] = LatentPrefixSettings

    def __init__(self, settings: LatentPrefixSettings, seed: int, corpus: Corpus) -> None:
        """Learn the subwords, or open those of the pretrained model.

        Raises:
            DataError: the pretrained model cannot be used.
            MachineError: a package is missing.
        """
        self.settings, self.seed, self._corpus = settings, seed, corpus
        self.vocabulary = _vocabulary(settings, corpus)
        self._model: LatentPrefixModel | None = None

    def records(self, records: Records) -> TokenRecords:
        """Return the records with tokens, of which there are as many as latents at least."""
        chosen, words = self.settings, self.vocabulary
        return TokenRecords(
            records, words.encode, chosen.context, words.padding, chosen.latents,
            self._neighbours(records),
        )  # fmt: skip

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
        self._model = LatentPrefixModel(
            t5, chosen.encoder, chosen.latents, terms, chosen.neighbours, chosen.contrast,
            chosen.masking,
        )  # fmt: skip
        return self._model

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the encoder's own stage, if it has a share, the autoencoder's and the graph's."""
        chosen = self.settings
        encoder, graphs = StagedRecords(train, PRETRAIN), StagedRecords(train, GRAPH)
        needs_latents = bool(chosen.mse or chosen.cosine)
        weights = Weights(lambda: self._trained.of_texts())
        records = (
            LatentRecords(graphs, self._latents, weights, _AT_ONCE) if needs_latents else graphs
        )
        before, share = chosen.pretrain_share, chosen.autoencoder_share
        return (
            *((Stage(PRETRAIN, before, _of_pretraining, encoder),) if before else ()),
            Stage(AUTOENCODER, share, self._of_autoencoder),
            Stage(GRAPH, 1 - before - share, self._of_graph, records),
        )

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return the stage, the padded shape of the texts, and about how many atoms there are."""
        batch = cast(TextBatch, batch)
        shape = tuple(batch.tokens_BT.shape)
        if batch.neighbours is not None:
            shape = (*shape, batch.neighbours.tokens_BNT.shape[2])
        return batch.stage, *shape, len(batch.graphs.molecule_N) // _ATOMS

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the weighted sum of the stage's parts."""
        if stage.name in (PRETRAIN, AUTOENCODER):
            parts = model(batch, stage.name)
            return Loss(cast(Tensor, sum(parts.values())), parts)
        parts = model(batch, "bridge")
        total = sum(getattr(self.settings, name) * value for name, value in parts.items())
        return Loss(cast(Tensor, total), parts)

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Return the stage's loss and its parts."""
        count = min(self.settings.validation_molecules, len(records))
        parts = np.array_split(np.arange(count), -(-count // _AT_ONCE))
        device = next(model.parameters()).device
        return mean_losses(lambda batch: self.loss(model, batch, stage, 0), records, parts, device)

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return what the decoder writes from the latents of molecules."""
        sources = indices
        if self.settings.graphs == "shuffled":
            sources = indices[others(len(indices))]
        done = lambda f: progress("captions", f)  # noqa: E731
        return self._written(model, records, indices, sources, "graph", done)

    def ceilings(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> Mapping[str, list[str]]:
        """Return what the decoder writes from the latents of the references themselves.

        Graphs have no part in it: with those of others it is not written again.
        """
        if self.settings.graphs == "shuffled":
            return {}
        done = lambda f: progress("autoencoder", f)  # noqa: E731
        return {AUTOENCODER: self._written(model, records, indices, indices, "text", done)}

    def passes(self) -> float:
        """Return the cost of two texts, which are written a token at a time."""
        return 2 * _PASSES * self.settings.decoding.side_by_side

    def _written(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        sources: NDArray[np.integer],
        of: Literal["text", "graph"],
        done: Callable[[float], None],
    ) -> list[str]:
        """Return a text of each record, of the graph of the record at the same place of sources."""
        prefix, decoding = cast(LatentPrefixModel, model), self.settings.decoding
        device = next(model.parameters()).device
        texts: list[str] = []
        for part in in_parts(np.arange(len(indices)), decoding.batch_size):
            batch = cast(TextBatch, records.batch(indices[part]))
            if sources is not indices:
                batch = batch.with_graphs_of(cast(TextBatch, records.batch(sources[part])))
            batch = batch.to(device)
            with torch.no_grad():
                latents_BKD = prefix(batch, of)["latents"]
                states_BSD, mask_BS = prefix.attended(latents_BKD, batch)
            tokens_CT = write(
                prefix.t5,
                decoding,
                self.seed,
                batch.record_ids,
                encoder_outputs=as_encoded(states_BSD),
                attention_mask=mask_BS.long(),
            )
            found = [text.strip() for text in self.vocabulary.decode(tokens_CT.tolist())]
            texts += most_consistent(found, batch.smiles)
            done(len(texts) / len(indices))
        return texts

    def _neighbours(self, records: Records) -> NeighbourTexts | None:
        count, most = self.settings.neighbours, self.settings.neighbour_tokens
        if not count:
            return None
        tokens_P = [each[:most] for each in self.vocabulary.encode(self._corpus.captions)]
        return NeighbourTexts(records, self._corpus, count, tokens_P)

    def _latents(self, batch: TextBatch) -> Tensor:
        """Return the latents of captions by the model that is trained, as it is now."""
        device = next(self._trained.parameters()).device
        with torch.no_grad():
            return self._trained(batch.to(device), "text")["latents"].cpu()

    @property
    def _trained(self) -> LatentPrefixModel:
        assert self._model is not None, "a model is trained before its records are read"
        return self._model

    def _of_autoencoder(self, name: str) -> bool:
        return name.startswith(("from_enc.", "ranks")) or (
            self.settings.finetuned and name.startswith("t5.")
        )

    def _of_graph(self, name: str) -> bool:
        if name.startswith(("graph.", "readout.", "ranks")):
            return True
        assert self._model is not None
        depth, count = len(self._model.t5.decoder.block), self.settings.unfrozen_layers
        last = tuple(f"t5.decoder.block.{k}." for k in range(depth - count, depth))
        return bool(last) and name.startswith(last)


class LatentPrefixRetrieval(LatentPrefix):
    """The latent prefix that reads captions of similar molecules, too."""

    Settings: ClassVar[type[GeneratorSettings]] = LatentPrefixRetrievalSettings


def _of_pretraining(name: str) -> bool:
    return name.startswith(("graph.", "contrast.", "masking."))


def _vocabulary(settings: LatentPrefixSettings, corpus: Corpus) -> Vocabulary:
    if settings.language_model is not None:
        return pretrained_vocabulary(settings.language_model)
    assert settings.small is not None
    return learned_vocabulary(settings.small, corpus.captions)
