"""Retrieval by learned embeddings: the training caption that lies nearest to the molecule's graph.

A graph encoder and a text encoder learn by contrast, as in the first stage of the generators that
write (`assay.captioning.pretraining`), and nothing is written: what the encoder has understood is
what it finds. Source: Edwards, Zhai and Ji, "Text2Mol: Cross-modal molecule retrieval with natural
language queries", EMNLP 2021.

    similarity = (1 - weight) · Tanimoto(molecule, molecule of the pool)
                      + weight · cos(its graph's embedding, embedding of the pool's caption)

Shapes: Q molecules, P captions of a pool, O width of the shared space.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from assay.captioning.contrast import Contrast, ContrastSettings, TextEncoder
from assay.captioning.encoder import EncoderSettings, GraphEncoder
from assay.captioning.fingerprints import Fingerprints, tanimoto
from assay.captioning.generator import (
    Corpus,
    Generator,
    GeneratorSettings,
    LearningSettings,
    mean_losses,
    others,
)
from assay.captioning.masking import MaskedAttributes, MaskingSettings
from assay.captioning.pretraining import STAGE, pretraining_parts
from assay.captioning.retrieval import (
    VERSION,
    cosine,
    hybrid,
    mean_reciprocal_rank,
    ranks,
    recall_at_k,
    search,
)
from assay.captioning.subwords import learn_subwords, tokenised
from assay.captioning.tokens import TextBatch, TokenRecords, in_parts
from assay.task import Batch, Estimate, Loss, Progress, Records, Stage

_MOST_TOKENS = 1 << 20
"""Of a caption: none is cut, as a bag of subwords has no context to fill."""
_AT_ONCE = 256
_ATOMS = 256
"""Numbers of atoms of a batch are told apart by so many."""


class EmbeddingRetrievalSettings(LearningSettings):
    """Of retrieval by embeddings."""

    of_evaluation: ClassVar[frozenset[str]] = LearningSettings.of_evaluation | {"weight"}

    encoder: EncoderSettings = EncoderSettings.model_validate({})
    """Of molecules."""
    contrast: ContrastSettings = ContrastSettings()
    """Of the text encoder and the objective."""
    masking: MaskingSettings | None = None
    """Atoms hidden from the encoder, which it is to tell, beside the contrast."""
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the embeddings' cosine in the similarity that chooses a caption; fingerprints have the
    rest. With 0 it is the floor, with 1 fingerprints have no part in it."""


class Embedder(nn.Module):
    """Both encoders, and what tells hidden atoms."""

    def __init__(self, settings: EmbeddingRetrievalSettings, subwords: int) -> None:
        """Embed molecules, and captions of `subwords` tokens, in one space."""
        super().__init__()
        graphs = GraphEncoder(settings.encoder)
        texts = TextEncoder(settings.contrast, subwords, graphs.output.out_features)
        self.contrast = Contrast(graphs, texts, settings.contrast)
        self.masking = None
        if settings.masking is not None:
            self.masking = MaskedAttributes(settings.encoder.width, settings.masking)

    def forward(self, batch: TextBatch) -> Mapping[str, Tensor]:
        """Return the parts of the loss, which add up to it."""
        return pretraining_parts(
            self.contrast, self.masking, batch.graphs, batch.record_ids, batch.words,
            batch.captions,
        )  # fmt: skip

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return self.contrast.raw_scale.device


class EmbeddingRetrieval(Generator):
    """The training caption nearest to a graph, by embeddings, fingerprints, or both."""

    Settings: ClassVar[type[GeneratorSettings]] = EmbeddingRetrievalSettings
    protocol: ClassVar[str] = f"retrieval {VERSION}"

    def __init__(self, settings: EmbeddingRetrievalSettings, seed: int, corpus: Corpus) -> None:
        """Learn the text encoder's subwords."""
        self.settings, self.seed, self.corpus = settings, seed, corpus
        self.words = learn_subwords(corpus.captions, settings.contrast.vocabulary)

    def records(self, records: Records) -> TokenRecords:
        """Return the records with the captions' subwords."""
        return TokenRecords(
            records,
            lambda texts: [each.ids for each in self.words.encode_batch(list(texts))],
            _MOST_TOKENS,
            padding=0,
        )

    def model(self) -> Embedder:
        """Return both encoders, new."""
        return Embedder(self.settings, self.words.get_vocab_size())

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the one stage."""
        return (Stage(STAGE),)

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return about how many atoms there are; a bag of subwords costs little beside them."""
        return len(batch), len(cast(TextBatch, batch).graphs.molecule_N) // _ATOMS

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the contrast of graphs and captions, and of hidden atoms where there are some."""
        parts = model(batch)
        return Loss(torch.stack(list(parts.values())).sum(), dict(parts))

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Return the loss and its parts, of many at a time, among which a caption is told."""
        count = min(self.settings.validation_molecules, len(records))
        parts = np.array_split(np.arange(count), -(-count // _AT_ONCE))
        device = cast(Embedder, model).device
        return mean_losses(lambda batch: self.loss(model, batch, stage, 0), records, parts, device)

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return the nearest caption of training.

        Where graphs are those of others their fingerprints are, too.
        """
        embedder, weight = cast(Embedder, model), self.settings.weight
        smiles, x_QO = self._of_graphs(embedder, records, self._sources(indices))
        y_PO = self._of_texts(embedder, self.corpus.captions)
        asked, pool = Fingerprints.of(smiles), Fingerprints.of(self.corpus.smiles)

        def similarity(rows: slice) -> NDArray[np.float32]:
            return hybrid(tanimoto(asked[rows], pool), cosine(x_QO[rows], y_PO), weight)

        found = search(len(indices), similarity)
        progress("retrieve", 1.0)
        return [self.corpus.captions[place] for place in found.places_QK[:, 0].tolist()]

    def estimates(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> Mapping[str, Estimate]:
        """Return how well graphs find their own captions among those of `indices`.

        Captions that read alike are one; `weight` has no part in it.
        """
        embedder = cast(Embedder, model)
        _, x_QO = self._of_graphs(embedder, records, self._sources(indices))
        parts = in_parts(indices, _AT_ONCE)
        own = [text for part in parts for text in cast(TextBatch, records.batch(part)).captions]
        place = {text: k for k, text in enumerate(dict.fromkeys(own))}
        y_PO = self._of_texts(embedder, list(place))
        targets_Q = np.array([place[text] for text in own], np.int64)
        found_Q = ranks(lambda rows: cosine(x_QO[rows], y_PO), targets_Q)
        return {
            "retrieval/mrr": mean_reciprocal_rank(found_Q),
            "retrieval/recall_at_1": recall_at_k(found_Q, 1),
            "retrieval/recall_at_10": recall_at_k(found_Q, 10),
        }

    def passes(self) -> float:
        """Return a pass of the graph encoder for a caption, and one for the estimates."""
        return 2.0

    def _sources(self, indices: NDArray[np.integer]) -> NDArray[np.integer]:
        """Return the records whose graphs are looked at."""
        return indices[others(len(indices))] if self.settings.graphs == "shuffled" else indices

    def _of_graphs(
        self, embedder: Embedder, records: Records, indices: NDArray[np.integer]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Return SMILES and (Q, O) embeddings of molecules."""
        smiles: list[str] = []
        found = [np.zeros((0, embedder.contrast.graphs.output.out_features), np.float32)]
        for part in in_parts(indices, _AT_ONCE):
            batch = cast(TextBatch, records.batch(part)).to(embedder.device)
            with torch.no_grad():
                encoded = embedder.contrast.graphs(batch.graphs, batch.record_ids)
            smiles += batch.smiles
            found.append(encoded.molecules_BO.float().cpu().numpy())
        return smiles, np.concatenate(found)

    def _of_texts(self, embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (P, O) embeddings of captions."""
        found = []
        for first in range(0, len(texts), _AT_ONCE):
            words = tokenised(self.words, texts[first : first + _AT_ONCE]).to(embedder.device)
            with torch.no_grad():
                found.append(embedder.contrast.texts(words).float().cpu().numpy())
        return np.concatenate(found)
