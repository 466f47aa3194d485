"""Captions that nobody had to learn to write: what a model has to beat, and what it beats by luck.

    retrieval        a caption of the nearest training molecules
    random_caption   that of a random training molecule
    most_common      the same for all, the most frequent of training

Retrieval of several neighbours says what most of them say: the caption that shares most words with
those of the others, of equal ones the nearest (the decision of minimum Bayes risk; Kumar and Byrne,
HLT-NAACL 2004).

Shapes: K neighbours.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt
from torch import nn

from assay.captioning.data.captions import CaptionBatch
from assay.captioning.fingerprints import Fingerprints, Kind
from assay.captioning.generator import Corpus, Generator, GeneratorSettings
from assay.captioning.retrieval import nearest
from assay.task import Batch, Loss, Progress, Records, Stage
from assay.training.draws import Draws, fold


class Untrained(Generator):
    """A generator without parameters, and so without stages."""

    Settings: ClassVar[type[GeneratorSettings]] = GeneratorSettings

    def __init__(self, settings: Any, seed: int, corpus: Corpus) -> None:
        """Keep the training captions."""
        self.settings, self.seed, self.corpus = settings, seed, corpus

    def records(self, records: Records) -> Records:
        """Return the records as they are."""
        return records

    def model(self) -> nn.Module:
        """Return a module without parameters."""
        return nn.Module()

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return none."""
        return ()

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return nothing: there is no step."""
        return None

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Refuse: there is no stage."""
        raise NotImplementedError

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Refuse: there is no stage."""
        raise NotImplementedError


class RetrievalSettings(GeneratorSettings):
    """Of retrieval."""

    fingerprint: Kind = "morgan"
    k: PositiveInt = 1
    """Neighbours that are asked."""


class Retrieval(Untrained):
    """A caption of the nearest training molecules, by Tanimoto similarity of fingerprints."""

    Settings: ClassVar[type[GeneratorSettings]] = RetrievalSettings

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return the caption of the nearest, or what the k nearest agree on."""
        kind, k = self.settings.fingerprint, self.settings.k
        asked = Fingerprints.of(_batch(records, indices).smiles, kind)
        found = nearest(asked, Fingerprints.of(self.corpus.smiles, kind), k)
        progress("retrieve", 1.0)
        return [
            central([self.corpus.captions[place] for place in places_K.tolist()])
            for places_K in found.places_QK
        ]


class RandomCaption(Untrained):
    """The caption of a training molecule, drawn for each record."""

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return captions whose draw is a function of the seed and the record."""
        draws = Draws(fold(self.seed, "random caption"), 0, _batch(records, indices).record_ids)
        places_B = draws.bits("place") % len(self.corpus)
        return [self.corpus.captions[place] for place in places_B.tolist()]


class MostCommon(Untrained):
    """The most frequent caption of training; of equally frequent ones the first."""

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return the same for all."""
        ((caption, _),) = Counter(self.corpus.captions).most_common(1)
        return [caption] * len(indices)


def central(captions: Sequence[str]) -> str:
    """Return the caption that shares most words with the others, by the mean F1 of their counts."""
    words = [Counter(caption.lower().split()) for caption in captions]
    agreement = [sum(_f1(mine, other) for other in words) for mine in words]
    return captions[agreement.index(max(agreement))]


def _f1(a: Counter[str], b: Counter[str]) -> float:
    return 2 * (a & b).total() / max(a.total() + b.total(), 1)


def _batch(records: Records, indices: NDArray[np.integer]) -> CaptionBatch:
    return cast(CaptionBatch, records.batch(indices))
