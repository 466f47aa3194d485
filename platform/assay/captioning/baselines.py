"""Captions that nobody had to learn to write: what a model has to beat, and what it beats by luck.

    retrieval        a caption of the nearest training molecules
    retrieval_chebi20, retrieval_reranked
                     the same, of captions of ChEBI-20 alone, or as its groups choose
    random_caption   that of a random training molecule
    most_common      the same for all, the most frequent of training

Retrieval of several neighbours says what most of them say: the caption that shares most words with
those of the others, of equal ones the nearest (the decision of minimum Bayes risk; Kumar and Byrne,
HLT-NAACL 2004). Or, as generators do with candidates, the one whose claims fit the graph best.

Shapes: K neighbours.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator
from torch import nn

from assay.captioning.data.captions import CaptionBatch
from assay.captioning.data.captions_pool import is_of_chebi20
from assay.captioning.fingerprints import Fingerprints, Kind
from assay.captioning.generator import Corpus, Generator, GeneratorSettings
from assay.captioning.reranking import most_consistent
from assay.captioning.retrieval import nearest
from assay.errors import ConfigError
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
    # Both are left out of a cell where they are as by default: keys of before stay what they are.
    choice: Literal["words", "groups"] = Field(default="words", exclude_if=lambda by: by == "words")
    """Which of the k captions is said: the one that shares most words with the others, or whose
    claims about functional groups fit the graph best (`assay.captioning.reranking`)."""
    pool: Literal["all", "chebi20"] = Field(default="all", exclude_if=lambda which: which == "all")
    """Training captions that are looked at: all, or of captions_pool those of ChEBI-20 alone, which
    are worded as those of its test split are."""

    @model_validator(mode="after")
    def _several_to_choose_from(self) -> Self:
        if self.choice == "groups" and self.k == 1:
            raise ValueError("choice groups is among the k nearest; give a k of 2 or more")
        return self


class RetrievalChEBI20Settings(RetrievalSettings):
    """Of retrieval of captions of ChEBI-20."""

    pool: Literal["chebi20"] = "chebi20"  # pyright: ignore[reportIncompatibleVariableOverride]


class RetrievalRerankedSettings(RetrievalSettings):
    """Of retrieval that functional groups decide."""

    k: PositiveInt = 3
    choice: Literal["groups"] = "groups"  # pyright: ignore[reportIncompatibleVariableOverride]


class Retrieval(Untrained):
    """A caption of the nearest training molecules, by Tanimoto similarity of fingerprints."""

    Settings: ClassVar[type[GeneratorSettings]] = RetrievalSettings

    def __init__(self, settings: Any, seed: int, corpus: Corpus) -> None:
        """Keep the training captions that are looked at.

        Raises:
            ConfigError: there are no others than those of the pool that is asked for.
        """
        if settings.pool == "chebi20":
            is_of_chebi = [is_of_chebi20(number) for number in corpus.numbers]
            if all(is_of_chebi):
                raise ConfigError(
                    "settings.generator.pool chebi20: there are no further captions here to leave "
                    "out, as captions_pool has them; use all"
                )
            corpus = corpus.where(is_of_chebi)
        super().__init__(settings, seed, corpus)

    def captions(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], progress: Progress
    ) -> list[str]:
        """Return the caption of the nearest, or of the k nearest the one that is chosen."""
        kind, k = self.settings.fingerprint, self.settings.k
        smiles = _batch(records, indices).smiles
        asked = Fingerprints.of(smiles, kind)
        found = nearest(asked, Fingerprints.of(self.corpus.smiles, kind), k)
        progress("retrieve", 1.0)
        captions_QK = [
            [self.corpus.captions[place] for place in places_K.tolist()]
            for places_K in found.places_QK
        ]
        if self.settings.choice == "groups":
            return most_consistent([text for texts in captions_QK for text in texts], smiles)
        return [central(texts) for texts in captions_QK]


class RetrievalChEBI20(Retrieval):
    """Retrieval from ChEBI-20's own captions: words as its test split has them."""

    Settings: ClassVar[type[GeneratorSettings]] = RetrievalChEBI20Settings


class RetrievalReranked(Retrieval):
    """Retrieval of several, of which functional groups choose: what reranking gives by itself."""

    Settings: ClassVar[type[GeneratorSettings]] = RetrievalRerankedSettings


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
