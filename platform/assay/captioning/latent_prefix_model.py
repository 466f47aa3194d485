"""The latent prefix's networks: a text's latent by T5's encoder, a molecule's by a graph encoder.

    z_text  = from_enc(the first K states of T5's encoder of the text)
    z_graph = readout(GINE encoder of the molecule)
    text    = T5's decoder, attending to z, to the captions of neighbours where they are shown, and
              to nothing else

z is handed to the decoder as if its encoder had made it; `inputs_embeds` would be encoded again.
What T5's encoder makes of a neighbour's caption comes after it, with a learned mark of the
neighbour's rank that begins at 0.

Shapes: B records, T tokens (padded), K latents, N neighbours, S attended states, D width of T5, V
vocabulary.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, mse_loss

from assay.captioning.contrast import Contrast, ContrastSettings, TextEncoder
from assay.captioning.encoder import EncoderSettings, GraphEncoder
from assay.captioning.frozen import Weights
from assay.captioning.masking import MaskedAttributes, MaskingSettings
from assay.captioning.pretraining import pretraining_parts
from assay.captioning.tokens import TextBatch
from assay.captioning.weights import keep_tied_once
from assay.task import Records

Computation = Callable[[TextBatch], Tensor]
"""Records -> (B, K, D), in main memory."""


@dataclass(frozen=True)
class LatentBatch(TextBatch):
    """B molecules with their captions, and the latents of these where they are known already."""

    latents_BKD: Tensor | None = None

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        moved = super().to(device)
        if self.latents_BKD is None:
            return moved
        return replace(moved, latents_BKD=self.latents_BKD.to(device, non_blocking=True))


@dataclass(frozen=True)
class Terms:
    """Weights of what the graph's latent is trained for; 0 leaves a term out, uncomputed."""

    mse: float
    cosine: float
    cross_entropy: float


class LatentPrefixModel(nn.Module):
    """Both ways to a latent, and the decoder that reads it."""

    def __init__(
        self,
        t5: Any,
        encoder: EncoderSettings,
        latents: int,
        terms: Terms,
        neighbours: int = 0,
        contrast: ContrastSettings | None = None,
        masking: MaskingSettings | None = None,
    ) -> None:
        """Join a T5 and a new graph encoder.

        Args:
            t5: T5ForConditionalGeneration.
            encoder: Of molecules.
            latents: K.
            terms: Of the second stage's loss.
            neighbours: N.
            contrast: By which the encoder is pretrained; None leaves that stage out.
            masking: Of that stage; None hides no atoms.
        """
        super().__init__()
        self.t5, self.latents, self.terms = t5, latents, terms
        D = t5.config.d_model
        self.from_enc = nn.Linear(D, D)
        # A pretrained decoder begins by reading what it was trained to read.
        nn.init.eye_(self.from_enc.weight)
        nn.init.zeros_(self.from_enc.bias)
        self.ranks = nn.Parameter(torch.zeros(neighbours, D)) if neighbours else None
        self.graph = GraphEncoder(encoder)
        O = encoder.outputs or encoder.width  # noqa: E741
        self.readout = nn.Sequential(
            nn.LayerNorm(O), nn.Linear(O, 2 * O), nn.GELU(), nn.Linear(2 * O, latents * D)
        )
        self.contrast = self.masking = None
        if contrast is not None:
            texts = TextEncoder(contrast, t5.config.vocab_size, O)
            self.contrast = Contrast(self.graph, texts, contrast)
            keep_tied_once(self)  # the encoder has two names
        if masking is not None:
            self.masking = MaskedAttributes(encoder.width, masking)

    def forward(
        self, batch: TextBatch, what: Literal["text", "graph", "pretrain", "autoencoder", "bridge"]
    ) -> dict[str, Tensor]:
        """Return a latent, or the parts of a stage's loss: means over records.

        Args:
            batch: B records.
            what: `text` and `graph` ask for the latent (B, K, D) of either; `pretrain`,
                `autoencoder` and `bridge` for the parts of a stage's loss.
        """
        if what == "text":
            return {"latents": self.of_text(batch)}
        if what == "graph":
            return {"latents": self.of_graph(batch)}
        if what == "pretrain":
            assert self.contrast is not None, "a model is made for the stage"
            return dict(
                pretraining_parts(
                    self.contrast, self.masking, batch.graphs, batch.record_ids, batch.words,
                    batch.captions,
                )
            )  # fmt: skip
        if what == "autoencoder":
            return {"cross_entropy": self.reading_loss(self.of_text(batch), batch)}
        return self.bridge_parts(batch)

    def of_text(self, batch: TextBatch) -> Tensor:
        """Return (B, K, D): what a caption's first K encoder states become.

        Of a shorter caption they are those of padding, which reads the caption like any token.
        """
        states_BTD = self.t5.encoder(
            input_ids=batch.tokens_BT, attention_mask=batch.mask_BT.long()
        ).last_hidden_state
        return self.from_enc(states_BTD[:, : self.latents])

    def of_graph(self, batch: TextBatch) -> Tensor:
        """Return (B, K, D): what a molecule becomes."""
        pooled_BO = self.graph(batch.graphs, batch.record_ids).molecules_BO
        return self.readout(pooled_BO).view(len(batch), self.latents, -1)

    def attended(self, latents_BKD: Tensor, batch: TextBatch) -> tuple[Tensor, Tensor]:
        """Return what the decoder reads, (B, S, D), and bool (B, S), what of it is no padding."""
        mask_BK = latents_BKD.new_ones(latents_BKD.shape[:2], dtype=torch.bool)
        shown = batch.neighbours
        if shown is None:
            return latents_BKD, mask_BK
        assert self.ranks is not None, "a model is made for neighbours"
        B, N, T = shown.tokens_BNT.shape
        mask_BNT = shown.mask_BNT
        states_BNTD = self.t5.encoder(
            input_ids=shown.tokens_BNT.flatten(0, 1), attention_mask=mask_BNT.flatten(0, 1).long()
        ).last_hidden_state.view(B, N, T, -1)
        states_BSD = (states_BNTD + self.ranks[:, None]).flatten(1, 2)
        return (
            torch.cat([latents_BKD, states_BSD], dim=1),
            torch.cat([mask_BK, mask_BNT.flatten(1)], dim=1),
        )

    def bridge_parts(self, batch: TextBatch) -> dict[str, Tensor]:
        """Return how far the graph's latent is from the text's, and how it reads."""
        made_BKD, terms, parts = self.of_graph(batch), self.terms, {}
        if terms.mse or terms.cosine:
            known_BKD = batch.latents_BKD if isinstance(batch, LatentBatch) else None
            if known_BKD is None:
                with torch.no_grad():
                    known_BKD = self.of_text(batch)
            made, known = made_BKD.float(), known_BKD.float()
            if terms.mse:
                parts["mse"] = mse_loss(made, known)
            if terms.cosine:
                parts["cosine"] = (1 - cosine_similarity(made, known, dim=2)).mean()
        if terms.cross_entropy:
            parts["cross_entropy"] = self.reading_loss(made_BKD, batch)
        return parts

    def of_texts(self) -> Iterator[Tensor]:
        """Yield the weights that decide a text's latent."""
        yield from self.t5.encoder.parameters()
        yield from self.from_enc.parameters()

    def reading_loss(self, latents_BKD: Tensor, batch: TextBatch) -> Tensor:
        """Return the mean over captions of the mean cross-entropy of their tokens."""
        start_B1 = torch.full_like(batch.tokens_BT[:, :1], self.t5.config.decoder_start_token_id)
        states_BSD, mask_BS = self.attended(latents_BKD, batch)
        logits_BTV = self.t5(
            encoder_outputs=as_encoded(states_BSD),
            attention_mask=mask_BS.long(),
            decoder_input_ids=torch.cat([start_B1, batch.tokens_BT[:, :-1]], dim=1),
            use_cache=False,
        ).logits.float()
        each_BT = cross_entropy(logits_BTV.transpose(1, 2), batch.tokens_BT, reduction="none")
        return ((each_BT * batch.mask_BT).sum(dim=1) / batch.n_tokens_B).mean()


class LatentRecords:
    """Records that bring the latents of their captions, computed once, when the first are read.

    They are computed in batches of their own, the same whoever asks first: a run that is resumed
    has the same targets, bit for bit. Those of other weights are refused, and computed anew.
    """

    def __init__(
        self, records: Records, compute: Computation, weights: Weights, at_once: int
    ) -> None:
        """Keep the latents of `records` as `compute` returns them, `at_once` at a time.

        Args:
            records: Of `TextBatch`es.
            compute: Such a batch to latents.
            weights: That decide them.
            at_once: Records that are computed together.
        """
        self._records, self._compute, self._at_once = records, compute, at_once
        self._weights, self._made_by = weights, ""
        self._latents_MKD = torch.zeros(0)

    @property
    def lengths(self) -> NDArray[np.integer] | None:
        """(len,) as the records have them."""
        return self._records.lengths

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def batch(self, indices: NDArray[np.integer]) -> LatentBatch:
        """Return the records at `indices` (B,), in that order, with latents."""
        made_by = self._weights.digest()
        if made_by != self._made_by:
            self._latents_MKD, self._made_by = self._all(), made_by
        batch = cast(TextBatch, self._records.batch(indices))
        return LatentBatch(**vars(batch), latents_BKD=self._latents_MKD[torch.as_tensor(indices)])

    def _all(self) -> Tensor:
        lengths = self._records.lengths
        assert lengths is not None, "texts have lengths"
        order = np.argsort(lengths, kind="stable")
        parts = np.array_split(order, -(-len(order) // self._at_once))
        found = torch.cat([self._compute(cast(TextBatch, self._records.batch(p))) for p in parts])
        return found[torch.from_numpy(np.argsort(order))]


def as_encoded(states_BSD: Tensor) -> Any:
    """Return states as what T5's decoder takes its encoder to have made."""
    from transformers.modeling_outputs import BaseModelOutput

    return BaseModelOutput(last_hidden_state=cast(Any, states_BSD))
