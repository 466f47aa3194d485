"""The solid bridge: a graph encoder, a projector, and a language model that reads its tokens.

Sources: LLaMo (Park et al., "Large language model-based molecular graph assistant", NeurIPS 2024)
and InstructMol (Cao et al., COLING 2025), with Qwen3-0.6B for their language models.

Three stages, of which each freezes what the others train:

    pretrain   encoder and text encoder, by contrast, and by hidden atoms if asked for (there are
               no published weights here)
    align      the projector, to the language model's own embedding of the description
    generate   projector and language model, by the cross-entropy of the description

A language model under adapters never learns, and is no parameter of this module
(`assay.training.fixed`).

Shapes: B records, T tokens, A tokens of answers, K graph tokens, O width of the encoder's
embedding, D width of the language model.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.captioning.bridge.alignment import Frame, alignment_costs
from assay.captioning.bridge.language import description_embeddings, last_states
from assay.captioning.bridge.projector import Projector
from assay.captioning.bridge.prompt import IGNORED, PLACE
from assay.captioning.bridge.records import BridgeBatch
from assay.captioning.bridge.settings import BridgeSettings
from assay.captioning.contrast import Contrast
from assay.captioning.masking import MaskedAttributes
from assay.captioning.pretraining import pretraining_parts
from assay.captioning.weights import keep_tied_once
from assay.store.language_models import ADAPTER
from assay.training.fixed import PartlyFixed

LANGUAGE = "language."


class BridgeModel(PartlyFixed):
    """Molecules -> descriptions."""

    centre_D: Tensor
    variance: Tensor
    not_in_shards: ClassVar[str] = (
        "the solid bridge asks its frozen parts for what they make of records at times of each "
        "worker's own, and shards are gathered by all at once"
    )

    def __init__(
        self,
        settings: BridgeSettings,
        language: Any,
        contrast: Contrast | None,
        padding: int,
        length: float = 1.0,
    ) -> None:
        """Join the parts.

        Args:
            settings: Of the bridge.
            language: As `language_of` returns it.
            contrast: Graph and text encoder; None where inputs are smiles.
            padding: A token of the language model, to stand for what is masked.
            length: Of a graph token to begin with: that of what it is aligned to.
        """
        super().__init__()
        self.settings, self.padding = settings, padding
        self.language, self.contrast = language, contrast
        D = language.get_input_embeddings().weight.shape[1]
        self.projector = self.masking = None
        if contrast is not None and settings.masking is not None:
            self.masking = MaskedAttributes(contrast.graphs.settings.width, settings.masking)
        if contrast is not None:
            inputs = contrast.graphs.output.out_features
            K, width = settings.graph_tokens, settings.projector_width
            self.projector = Projector(inputs, width, D, K, length)
        self.register_buffer("centre_D", torch.zeros(D))
        self.register_buffer("variance", torch.zeros(()))  # 0: not measured yet
        keep_tied_once(language)
        self.train()

    def forward(self, batch: BridgeBatch) -> Mapping[str, Tensor]:
        """Return the parts of the loss of the stage that the batch is for; they add up to it."""
        if batch.purpose == "generate":
            return {"cross_entropy": self.cross_entropy(batch)}
        assert self.contrast is not None
        if batch.purpose == "pretrain":
            return pretraining_parts(
                self.contrast, self.masking, batch.graphs, batch.record_ids, batch.words,
                batch.captions,
            )  # fmt: skip
        self._require_frozen()
        x_BD = self.graph_tokens(batch).mean(1)
        y_BD = self.targets(batch)
        return alignment_costs(x_BD, y_BD, self.frame, batch.captions, self.settings.alignment)

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return self.centre_D.device

    @property
    def frame(self) -> Frame:
        """Return where descriptions lie."""
        assert self.variance > 0, "measured when stage 1 begins"
        return Frame(self.centre_D, self.variance)

    def measure(self, targets_QD: Tensor) -> None:
        """Remember where descriptions lie, from those of some training records."""
        frame = Frame.of(targets_QD)
        self.centre_D.copy_(frame.centre_D)
        self.variance.copy_(frame.variance)

    def cross_entropy(self, batch: BridgeBatch) -> Tensor:
        """Return the mean over records of that over the tokens of an answer."""
        logits_AV, labels_A, row_A = self.answer_logits(batch)
        each_A = cross_entropy(logits_AV.float(), labels_A, reduction="none")
        n_B = torch.bincount(row_A, minlength=len(batch))
        return (each_A / n_B[row_A]).sum() / len(batch)

    def answer_logits(self, batch: BridgeBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (A, V) where answers are to be told, their labels and their records.

        The vocabulary is large: logits of the prompt, which nobody asks for, are not made.
        """
        x_BTD = self.embedded(batch.tokens_BT, batch)
        h_BTD = last_states(self.language, x_BTD, batch.mask_BT)
        labels_BT = batch.labels_BT[:, 1:]  # a token is told by those before it
        told_BT = labels_BT != IGNORED
        logits_AV = self.language.get_output_embeddings()(h_BTD[:, :-1][told_BT])
        return logits_AV, labels_BT[told_BT], told_BT.nonzero()[:, 0]

    def embedded(self, tokens_BT: Tensor, batch: BridgeBatch) -> Tensor:
        """Return (B, T, D): the tokens' embeddings, the graph's where their places are.

        Args:
            tokens_BT: With K times `PLACE` a record, or none where inputs are smiles.
            batch: Of the graphs.
        """
        places_BT = tokens_BT == PLACE
        embed = self.language.get_input_embeddings()
        x_BTD = embed(tokens_BT.masked_fill(places_BT, self.padding))
        if self.projector is None:
            return x_BTD
        graphs_BKD = self.graph_tokens(batch)
        return x_BTD.masked_scatter(places_BT[:, :, None], graphs_BKD.to(x_BTD.dtype))

    def graph_tokens(self, batch: BridgeBatch) -> Tensor:
        """Return (B, K, D) of graphs, or of what the encoder is known to make of them."""
        assert self.projector is not None
        known_BO = batch.graphs_BO
        return self.projector(self.encoded(batch) if known_BO is None else known_BO)

    def encoded(self, batch: BridgeBatch) -> Tensor:
        """Return (B, O): the encoder's embeddings of molecules, without gradient or dropout."""
        assert self.contrast is not None
        encoder = self.contrast.graphs
        was_training = encoder.training
        try:
            with torch.no_grad():
                return encoder.eval()(batch.graphs, batch.record_ids).molecules_BO
        finally:
            encoder.train(was_training)

    def targets(self, batch: BridgeBatch) -> Tensor:
        """Return float32 (B, D): embeddings of descriptions, computed unless they are known."""
        known_BD = batch.descriptions_BD
        return self.descriptions(batch) if known_BD is None else known_BD

    def descriptions(self, batch: BridgeBatch) -> Tensor:
        """Return float32 (B, D): the language model's own embedding of each description."""
        told_BT = batch.labels_BT != IGNORED
        n_B = told_BT.sum(1)
        mask_BA = torch.arange(int(n_B.max()), device=n_B.device) < n_B[:, None]
        tokens_BA = n_B.new_full(mask_BA.shape, self.padding)
        tokens_BA[mask_BA] = batch.labels_BT[told_BT]
        target = self.settings.alignment.target
        return description_embeddings(self.language, tokens_BA, mask_BA, target)

    def _require_frozen(self) -> None:
        loose = [
            name
            for name, parameter in nn.Module.named_parameters(self)
            if parameter.requires_grad and not name.startswith("projector.")
        ]
        assert not loose, f"stage align trains the projector alone, and {loose[0]} learns"

    def is_fixed(self, name: str) -> bool:
        """Say whether a parameter or buffer of that name belongs to what never learns."""
        under_adapters = self.settings.adapt == "lora" and ADAPTER not in name
        return name.startswith(LANGUAGE) and under_adapters
