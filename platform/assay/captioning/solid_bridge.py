"""The generator solid bridge: records, stages, the gate between them, and descriptions.

See `assay.captioning.bridge.model` for what it is made of.

Shapes: B records, T tokens, D width of the language model.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.captioning.bridge.alignment import Verdict, first_of_each, judged
from assay.captioning.bridge.language import description_embeddings, language_of, tokenizer_of
from assay.captioning.bridge.model import LANGUAGE, BridgeModel
from assay.captioning.bridge.prompt import PROMPTS, PromptWriter
from assay.captioning.bridge.records import (
    BridgeBatch,
    BridgeRecords,
    Purpose,
    StageRecords,
)
from assay.captioning.bridge.settings import (
    BridgeRetrievalSettings,
    BridgeSettings,
    GraphOnlySettings,
    TextOnlySettings,
)
from assay.captioning.contrast import Contrast, TextEncoder
from assay.captioning.decoding import write
from assay.captioning.encoder import GraphEncoder
from assay.captioning.frozen import FrozenRows, Weights
from assay.captioning.generator import (
    Corpus,
    Generator,
    GeneratorSettings,
    mean_losses,
    others,
)
from assay.captioning.neighbours import NeighbourTexts
from assay.captioning.reranking import most_consistent
from assay.captioning.subwords import learn_subwords
from assay.captioning.tokens import in_parts
from assay.errors import TrainingError
from assay.task import Batch, Loss, Progress, Records, Stage
from assay.training.draws import fold

_MEASURED = 256
"""Training records whose descriptions say where descriptions lie."""
_LENGTHS = 16
"""Training captions whose embeddings say how long a graph token is to be."""
_HELD_OUT = 8
"""One in so many training records, at most, is kept from stages 0 and 1."""
_AT_ONCE = 1024
_ATOMS = 256
"""Numbers of atoms of a batch are told apart by so many."""
log = logging.getLogger(__name__)


class SolidBridge(Generator):
    """A language model that reads a graph as a token."""

    Settings: ClassVar[type[GeneratorSettings]] = BridgeSettings

    def __init__(self, settings: BridgeSettings, seed: int, corpus: Corpus) -> None:
        """Learn the text encoder's subwords and, where there are no weights, the tokenizer."""
        self.settings, self.seed, self._corpus = settings, seed, corpus
        self.tokenizer = tokenizer_of(settings, corpus.smiles, corpus.captions)
        end, padding = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        self.writer = PromptWriter(
            self.tokenizer, PROMPTS[settings.inputs], settings.inputs,
            settings.graph_tokens, settings.context,
        )  # fmt: skip
        self.padding = end if padding is None else padding
        self.words: Any = None
        if settings.inputs != "smiles":
            self.words = learn_subwords(corpus.captions, settings.contrast.vocabulary)
        self._model: BridgeModel | None = None
        self.shown: StageRecords | None = None
        self.held_out: StageRecords | None = None

    def records(self, records: Records) -> BridgeRecords:
        """Return a split as prompts and answers, tokenised once."""
        neighbours, count = None, self.settings.neighbours
        if count:
            most, captions = self.settings.neighbour_tokens, self._corpus.captions
            lines_P = [self.writer.neighbour(caption, most) for caption in captions]
            neighbours = NeighbourTexts(records, self._corpus, count, lines_P)
        return BridgeRecords(records, self.writer, self.words, self.padding, neighbours)

    def note(self, records: Records) -> str:
        """Return how many texts are cut."""
        smiles, captions = cast(BridgeRecords, records).cut
        if not smiles + captions:
            return ""
        return (
            f"{captions:,} training captions and {smiles:,} SMILES are cut, at a context of "
            f"{self.settings.context} tokens"
        )

    def model(self) -> BridgeModel:
        """Return the encoder, the projector and the language model."""
        chosen, contrast = self.settings, None
        if self.words is not None:
            encoder = GraphEncoder(chosen.encoder)
            outputs, words = encoder.output.out_features, self.words.get_vocab_size()
            contrast = Contrast(
                encoder, TextEncoder(chosen.contrast, words, outputs), chosen.contrast
            )
        language = language_of(chosen, self.tokenizer)
        length = self._length_of_descriptions(language)
        self._model = BridgeModel(chosen, language, contrast, self.padding, length)
        return self._model

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the three stages; one where there is no graph, none that has no share."""
        shares = self.settings.stages
        if self.words is None:
            return (Stage("generate", 1.0, _is_of("generate"), StageRecords(train, "generate")),)
        shown, held_out = _held_out(len(train), self.settings.gate.records, self.seed)
        ids = _ids(train)
        published = None if self.settings.language_model is None else "descriptions"
        graphs = {"graphs_BO": self._known(train, ids, _encoded, _encoder)}
        texts = {"descriptions_BD": self._known(train, ids, _described, _language, published)}
        self.held_out = StageRecords(train, "align", held_out, graphs | texts)
        self.shown = StageRecords(train, "align", shown, graphs | texts)
        aligned = StageRecords(train, "align", shown, graphs | texts, self._measure)
        written = StageRecords(train, "generate", None, graphs)
        of: tuple[tuple[float, StageRecords, Callable[[nn.Module], None]], ...] = (
            (shares.pretrain, StageRecords(train, "pretrain", shown), _open),
            (shares.align, aligned, _open),
            (1 - shares.pretrain - shares.align, written, self._pass_the_gate),
        )
        return tuple(
            Stage(records.purpose, share, _is_of(records.purpose), records, opens)
            for share, records, opens in of
            if share > 0
        )

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return what the stage computes of: atoms, or prompts and answers."""
        found = cast(BridgeBatch, batch)
        if found.purpose == "pretrain":
            return "pretrain", len(found), round(len(found.graphs.molecule_N) / _ATOMS)
        width = found.tokens_BT.shape[1] if found.purpose == "generate" else 0
        return found.purpose, len(found), width

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the stage's loss."""
        return _sum(model(batch))

    def validate(self, model: nn.Module, records: Records, stage: Stage) -> dict[str, float]:
        """Return the stage's loss on validation records."""
        bridge, purpose = cast(BridgeModel, model), cast(Purpose, stage.name)
        split = StageRecords(records, purpose)
        places = np.arange(min(self.settings.validation_molecules, len(records)))
        parts = in_parts(places, self.settings.decoding.batch_size)
        return mean_losses(lambda batch: _sum(bridge(batch)), split, parts, bridge.device)

    def captions(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        progress: Progress,
    ) -> list[str]:
        """Return what the language model writes after each prompt."""
        bridge, decoding = cast(BridgeModel, model), self.settings.decoding
        sources = indices
        if self.settings.graphs == "shuffled":
            sources = indices[others(len(indices))]
        found: list[str] = []
        for part in in_parts(np.arange(len(indices)), decoding.batch_size):
            batch = cast(BridgeBatch, records.batch(indices[part]))
            if sources is not indices:
                batch = batch.with_graphs_of(cast(BridgeBatch, records.batch(sources[part])))
            found += self.written(bridge, batch.to(bridge.device))
            progress("captions", len(found) / len(indices))
        return found

    def passes(self) -> float:
        """Return a text, each token of which takes a pass of its own."""
        return float(self.settings.decoding.side_by_side)

    def written(self, bridge: BridgeModel, batch: BridgeBatch) -> list[str]:
        """Return (B,) texts; prompts are padded before them, so that all answers begin alike."""
        prompts_BT, mask_BT = batch.prompts(self.padding)
        with torch.no_grad():
            x_BTD = bridge.embedded(prompts_BT, batch)
        tokens_CT = write(
            bridge.language, self.settings.decoding, self.seed, batch.record_ids,
            inputs_embeds=x_BTD, attention_mask=mask_BT.long(),
        )  # fmt: skip
        texts = self.tokenizer.batch_decode(
            tokens_CT, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return most_consistent([text.strip() for text in texts], batch.smiles)

    def _length_of_descriptions(self, language: Any) -> float:
        """Return that of the embeddings which graph tokens are aligned to."""
        texts = [self.writer.encoded(text) for text in self._corpus.captions[:_LENGTHS]]
        found = [
            description_embeddings(
                language,
                torch.tensor([tokens]),
                torch.ones(1, len(tokens), dtype=torch.bool),
                self.settings.alignment.target,
            ).norm()
            for tokens in texts
        ]
        return float(torch.stack(found).mean())

    def verdict(self) -> Verdict:
        """Return how well molecules that stages 0 and 1 were not shown find their descriptions."""
        assert self.held_out is not None, "stages are made before they are trained"
        bridge, records, size = self._trained, self.held_out, self.settings.decoding.batch_size
        every = in_parts(np.arange(len(records)), size)
        captions = [caption for part in every for caption in records.batch(part).captions]
        found: list[tuple[Tensor, Tensor]] = []
        for part in in_parts(first_of_each(captions), size):
            batch = records.batch(part).to(bridge.device)
            with torch.no_grad():
                found.append((bridge.graph_tokens(batch).mean(1), bridge.targets(batch)))
        x_QD, y_QD = (torch.cat(each) for each in zip(*found, strict=True))
        return judged(x_QD, y_QD, bridge.frame, fold(self.seed, "shuffled pairs"))

    @property
    def _trained(self) -> BridgeModel:
        assert self._model is not None, "a model is trained before its records are read"
        return self._model

    def _measure(self) -> None:
        """Find where descriptions lie, unless a checkpoint has it."""
        bridge = self._trained
        if not bridge.variance:
            assert self.shown is not None, "stages are made before they are trained"
            some = np.linspace(0, len(self.shown) - 1, _MEASURED).astype(int)
            bridge.measure(bridge.targets(self.shown.batch(some).to(bridge.device)))

    def _pass_the_gate(self, model: nn.Module) -> None:
        """Let stage 2 begin.

        Raises:
            TrainingError: graphs do not find their own descriptions: there is nothing to build on.
        """
        assert model is self._model, "the model that is trained is the one that was made last"
        self._measure()
        verdict = self.verdict()
        said = f"solid_bridge: {verdict}"
        if verdict.passes:
            log.info("%s: stage 2 begins", said)
        elif self.settings.gate.required:
            raise TrainingError(
                f"{said}: graphs do not tell descriptions apart, so stage 2 does not begin; give "
                "stages.pretrain and stages.align more of the budget, or set gate.required to false"
            )
        else:
            log.warning("%s: graphs do not tell descriptions apart", said)

    def _known(
        self,
        train: Records,
        ids_R: NDArray[np.int64],
        compute: Callable[[BridgeModel, BridgeBatch], Tensor],
        weights: Callable[[BridgeModel], Iterable[Tensor]],
        on_disk: str | None = None,
    ) -> FrozenRows:
        """Return what a frozen part of the model that is trained makes of training records."""
        return FrozenRows(
            ids_R,
            train.batch,
            lambda batch: compute(self._trained, batch.to(self._trained.device)),
            Weights(lambda: weights(self._trained)),
            on_disk,
        )


class SolidBridgeRetrieval(SolidBridge):
    """The solid bridge whose prompt holds captions of similar molecules, too."""

    Settings: ClassVar[type[GeneratorSettings]] = BridgeRetrievalSettings


class GraphOnly(SolidBridge):
    """The solid bridge whose prompt tells of the graph and holds no SMILES."""

    Settings: ClassVar[type[GeneratorSettings]] = GraphOnlySettings


class TextOnly(SolidBridge):
    """The language model alone, which reads SMILES as a text: a control without any graph."""

    Settings: ClassVar[type[GeneratorSettings]] = TextOnlySettings


def _encoded(bridge: BridgeModel, batch: BridgeBatch) -> Tensor:
    return bridge.encoded(batch)


def _encoder(bridge: BridgeModel) -> Iterable[Tensor]:
    assert bridge.contrast is not None
    return bridge.contrast.graphs.parameters()


def _described(bridge: BridgeModel, batch: BridgeBatch) -> Tensor:
    return bridge.descriptions(batch)


def _language(bridge: BridgeModel) -> Iterable[Tensor]:
    """Return what descriptions are embedded by: of input embeddings, no more than these."""
    if bridge.settings.alignment.target == "embeddings":
        return bridge.language.get_input_embeddings().parameters()
    return bridge.language.parameters()


def _open(model: nn.Module) -> None:
    """Ask nothing of what was trained before."""


def _is_of(purpose: Purpose) -> Callable[[str], bool]:
    """Return whether a parameter of that name learns in a stage."""
    learns = {
        "pretrain": ("contrast.", "masking."),
        "align": ("projector.",),
        "generate": ("projector.", LANGUAGE),
    }[purpose]
    return lambda name: name.startswith(learns)


def _held_out(records: int, most: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which records stages 0 and 1 are shown, and which not; at least one."""
    count = max(1, min(most, records // _HELD_OUT))
    order = np.random.default_rng(fold(seed, "held out")).permutation(records)
    return np.sort(order[count:]), np.sort(order[:count])


def _ids(records: Records) -> NDArray[np.int64]:
    """Return (len,) record ids."""
    parts = in_parts(np.arange(len(records)), _AT_ONCE)
    return np.concatenate([records.batch(part).record_ids.numpy() for part in parts])


def _sum(parts: Mapping[str, Tensor]) -> Loss:
    return Loss(torch.stack(list(parts.values())).sum(), dict(parts))
