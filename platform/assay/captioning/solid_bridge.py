"""The generator solid bridge: records, stages, the gate between them, and descriptions.

See `assay.captioning.bridge.model` for what it is made of.

Shapes: B records, T tokens, D width of the language model.
"""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.captioning.bridge.alignment import Verdict, first_of_each, judged
from assay.captioning.bridge.frozen import FrozenRows
from assay.captioning.bridge.language import language_of, tokenizer_of
from assay.captioning.bridge.model import LANGUAGE, BridgeModel
from assay.captioning.bridge.prompt import PROMPTS, PromptWriter
from assay.captioning.bridge.records import BridgeBatch, BridgeRecords, Purpose
from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.contrast import Contrast, TextEncoder
from assay.captioning.decoding import write
from assay.captioning.encoder import GraphEncoder
from assay.captioning.generator import Corpus, Generator
from assay.captioning.subwords import learn_subwords
from assay.errors import TrainingError
from assay.task import Batch, Loss, Progress, Records, Stage
from assay.training.draws import fold

_MEASURED = 256
"""Training records whose descriptions say where descriptions lie."""
_HELD_OUT = 8
"""One in so many training records, at most, is kept from stages 0 and 1."""
_ATOMS = 256
"""Numbers of atoms of a batch are told apart by so many."""
log = logging.getLogger(__name__)


class SolidBridge(Generator):
    """A language model that reads a graph as a token."""

    Settings: ClassVar[type[BridgeSettings]] = BridgeSettings

    def __init__(self, settings: BridgeSettings, seed: int, corpus: Corpus) -> None:
        """Learn the text encoder's subwords and, where there are no weights, the tokenizer."""
        self.settings, self.seed, self._note = settings, seed, ""
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
        self.train: BridgeRecords | None = None
        self.held_out: BridgeRecords | None = None

    def records(self, records: Records) -> BridgeRecords:
        """Return a split as prompts and answers, tokenised once."""
        found = BridgeRecords(records, self.writer, self.words, self.padding)
        smiles, answers = found.cut
        if smiles or answers:
            context = self.settings.context
            self._note = (
                f"context {context}: {answers:,} of {len(found):,} captions and {smiles:,} SMILES "
                "are longer and cut"
            )
            log.warning(self._note)
        return found

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
        return BridgeModel(chosen, language, contrast, self.padding)

    def stages(self, train: Records) -> Sequence[Stage]:
        """Return the three stages; one where there is no graph, none that has no share."""
        self.train = cast(BridgeRecords, train)
        shares = self.settings.stages
        if self.words is None:
            return (Stage("generate", 1.0, _is_of("generate"), self.train.part("generate")),)
        early, held_out = _held_out(len(train), self.settings.gate.records, self.seed)
        self.held_out = self.train.part("align", held_out)
        of: list[tuple[Purpose, float, NDArray[np.int64] | None]] = [
            ("pretrain", shares.pretrain, early),
            ("align", shares.align, early),
            ("generate", 1 - shares.pretrain - shares.align, None),
        ]
        return tuple(
            Stage(name, share, _is_of(name), self.train.part(name, places))
            for name, share, places in of
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
        """Return the stage's loss; before the first of stage 2 the gate is passed.

        Raises:
            TrainingError: graphs do not find their own descriptions, so that stage 2 has nothing
                to build on.
        """
        found = cast(BridgeBatch, batch)
        self._prepare(cast(BridgeModel, getattr(model, "module", model)), found.purpose)
        return _sum(model(found))

    def validate(
        self, model: nn.Module, records: Records, indices: NDArray[np.integer], stage: Stage
    ) -> dict[str, float]:
        """Return the stage's loss on validation records."""
        bridge = cast(BridgeModel, model)
        split = cast(BridgeRecords, records).part(cast(Purpose, stage.name))
        totals: dict[str, float] = {}
        for places in _parts(indices, self.settings.decoding.batch_size):
            with torch.no_grad():
                loss = _sum(bridge(split.batch(places).to(bridge.centre_D.device)))
            for name, value in {"loss": loss.total, **loss.parts}.items():
                share = len(places) / len(indices)
                totals[name] = totals.get(name, 0.0) + share * float(value)
        return totals

    def captions(
        self,
        model: nn.Module,
        records: Records,
        indices: NDArray[np.integer],
        progress: Progress,
    ) -> list[str]:
        """Return what the language model writes after each prompt."""
        bridge, split = cast(BridgeModel, model), cast(BridgeRecords, records)
        decoding, found = self.settings.decoding, []
        for places in _parts(indices, decoding.batch_size):
            batch = split.batch(places)
            if self.settings.graphs == "shuffled":
                batch = batch.with_graphs_of(split.batch(_others(places, len(split))))
            found += self.written(bridge, batch.to(bridge.centre_D.device))
            progress("write", len(found) / len(indices))
        return found

    def written(self, bridge: BridgeModel, batch: BridgeBatch) -> list[str]:
        """Return (B,) texts; prompts are padded before them, so that all answers begin alike."""
        assert not bridge.training, "what is kept of training records is not of these"
        prompts_BT, mask_BT = batch.prompts(self.padding)
        with torch.no_grad():
            x_BTD = bridge.embedded(prompts_BT, batch)
        tokens_BT = write(
            bridge.language, self.settings.decoding, self.seed, batch.record_ids,
            inputs_embeds=x_BTD, attention_mask=mask_BT.long(),
        )  # fmt: skip
        texts = self.tokenizer.batch_decode(
            tokens_BT, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [text.strip() for text in texts]

    def note(self) -> str:
        """Return what had to be cut."""
        return self._note

    def verdict(self, bridge: BridgeModel) -> Verdict:
        """Return how well molecules that stages 0 and 1 were not shown find their descriptions."""
        assert self.held_out is not None, "stages are made before they are trained"
        captions = self.held_out.captions
        found: list[tuple[Tensor, Tensor]] = []
        for places in _parts(first_of_each(captions), self.settings.decoding.batch_size):
            batch = self.held_out.batch(places).to(bridge.centre_D.device)
            with torch.no_grad():
                tokens_BKD = bridge.projector(bridge.encoded(batch))  # pyright: ignore
                found.append((tokens_BKD.mean(1), bridge.descriptions(batch)))
        x_QD, y_QD = (torch.cat(each) for each in zip(*found, strict=True))
        return judged(x_QD, y_QD, bridge.frame, fold(self.seed, "shuffled pairs"))

    def _prepare(self, bridge: BridgeModel, purpose: Purpose) -> None:
        """Set up what a stage rests on, before its first step or after a restart."""
        if purpose == "pretrain" or self.words is None:
            return
        train = self.train
        assert train is not None, "stages are made before they are trained"

        def kept(compute: Callable[[BridgeBatch], Tensor]) -> FrozenRows:
            device = bridge.centre_D.device
            return FrozenRows(train.ids, lambda places: compute(train.batch(places).to(device)))

        if "graphs" not in bridge.kept:
            bridge.keep("graphs", kept(bridge.encoded))
            bridge.keep("descriptions", kept(bridge.descriptions))
        if not bridge.variance:
            some = train.ids[np.linspace(0, len(train) - 1, _MEASURED).astype(int)]
            bridge.measure(bridge.kept["descriptions"].of(torch.from_numpy(some)))
        if purpose == "generate" and not bridge.passed:
            self._pass_the_gate(bridge)

    def _pass_the_gate(self, bridge: BridgeModel) -> None:
        verdict = self.verdict(bridge)
        if verdict.passes:
            log.info("stage 2 begins: %s", verdict)
        else:
            said = f"solid_bridge: {verdict}: graphs do not tell descriptions apart"
            if self.settings.gate.required:
                raise TrainingError(
                    f"{said}, so stage 2 does not begin; give stages.pretrain and stages.align "
                    "more of the budget, or set gate.required to false"
                )
            log.warning(said)
        bridge.passed.fill_(True)


def _is_of(purpose: Purpose) -> Callable[[str], bool]:
    """Return whether a parameter of that name learns in a stage."""
    learns = {
        "pretrain": ("contrast.",),
        "align": ("projector.",),
        "generate": ("projector.", LANGUAGE),
    }[purpose]
    return lambda name: name.startswith(learns)


def _held_out(records: int, most: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which records stages 0 and 1 are shown, and which not; at least one."""
    count = max(1, min(most, records // _HELD_OUT))
    order = np.random.default_rng(fold(seed, "held out")).permutation(records)
    return np.sort(order[count:]), np.sort(order[:count])


def _others(places_B: NDArray[np.integer], records: int) -> NDArray[np.integer]:
    """Return, for each place in a split, another one."""
    return (places_B + max(1, records // 2)) % records


def _parts(indices: NDArray[np.integer], size: int) -> list[NDArray[np.integer]]:
    return [indices[first : first + size] for first in range(0, len(indices), size)]


def _sum(parts: Mapping[str, Tensor]) -> Loss:
    return Loss(torch.stack(list(parts.values())).sum(), dict(parts))
