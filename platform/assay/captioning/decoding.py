"""How a language model that was given a molecule is made to write: greedily, by beams, by draws.

    greedy    the likeliest token at each place
    beam      the likeliest text among the `beams` that are kept (Graves, arXiv:1211.3711)
    sample    a draw from the model's distribution at a temperature, of its nucleus (Holtzman et
              al., "The curious case of neural text degeneration", ICLR 2020)

With `candidates`, beams or draws yield so many texts of a molecule, of which
`assay.captioning.reranking` keeps the one that fits its graph best.

A draw is the largest of logits with Gumbel noise (Maddison, Tarlow and Minka, "A* sampling",
NeurIPS 2014), and the noise a function of seed, record and place: a caption does not depend on
which other molecules are in its batch, nor on the order of records.

Shapes: B records, C texts, B times the candidates, V vocabulary, T tokens.
"""

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from assay.config import Settings
from assay.training.draws import Draws, fold

_OF_CANDIDATE = 40
"""Bits of a record's id; those above are the candidate's."""


class Decoding(Settings):
    """How tokens are chosen."""

    method: Literal["greedy", "beam", "sample"] = "greedy"
    most_tokens: PositiveInt = 256
    """Of a caption; what is longer ends there."""
    batch_size: PositiveInt = 64
    """Molecules at a time."""
    beams: Annotated[int, Field(ge=2)] | None = None
    """Of method beam, 5 by default."""
    temperature: PositiveFloat | None = None
    """Of method sample, 1 by default; below 1 the likely gets likelier."""
    nucleus: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of method sample, 1 by default: draw from the likeliest tokens that together have so much
    of the probability."""
    candidates: Annotated[int, Field(ge=2)] | None = None
    """Of methods beam and sample: texts of a molecule, of which the one is kept whose claims about
    functional groups fit its graph best. Of beam no more than there are beams."""

    @property
    def side_by_side(self) -> int:
        """Return how many texts of a molecule are written at a time."""
        return self.beams or self.candidates or 1

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_method(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        own = _OF_METHOD.get(given.get("method", "greedy"), {})
        # None is not given: a cell that is read again names the fields of other methods, too.
        return {**given, **{k: v for k, v in own.items() if given.get(k) is None}}

    @model_validator(mode="after")
    def _only_of_the_method(self) -> Self:
        own = _OF_METHOD[self.method]
        for method, fields in _OF_METHOD.items():
            for name in fields:
                if name not in own and getattr(self, name) is not None:
                    raise ValueError(f"{name} belongs to method {method}; this is {self.method}")
        if self.candidates is not None and self.method == "greedy":
            raise ValueError("candidates belong to methods beam and sample; greedy has one text")
        if self.beams is not None and (self.candidates or 0) > self.beams:
            raise ValueError(f"candidates {self.candidates} of {self.beams} beams; ask for less")
        return self


_OF_METHOD = {
    "greedy": {},
    "beam": {"beams": 5},
    "sample": {"temperature": 1.0, "nucleus": 1.0},
}


def write(model: Any, decoding: Decoding, seed: int, record_ids: Tensor, **given: Any) -> Tensor:
    """Return int64 (C, T): the tokens that transformers' `generate` writes, with its cache.

    Candidates of a record stand one after another, of beams the likeliest first.

    Args:
        model: With `generate`, in evaluation mode.
        decoding: How.
        seed: Of the cell.
        record_ids: (B,) whose captions they are.
        given: What `generate` is given to write on: encoder_outputs, or inputs_embeds, and their
            attention_mask.
    """
    options: dict[str, Any] = {"max_new_tokens": decoding.most_tokens, "do_sample": False}
    if decoding.method == "beam":
        options |= {"num_beams": decoding.beams, "early_stopping": True}
        options |= {"num_return_sequences": decoding.candidates or 1}
    if decoding.method == "sample":
        from transformers import LogitsProcessorList

        count = decoding.candidates or 1
        if count > 1:
            given = {name: _repeated(each, count) for name, each in given.items()}
        ids_C = _as_candidates(record_ids, count)
        options["logits_processor"] = LogitsProcessorList([_Drawn(decoding, seed, ids_C)])
    with torch.inference_mode():
        return model.generate(**given, **options)


def _repeated(given: Any, count: int) -> Any:
    """Return each row `count` times: of a tensor, or of what an encoder made."""
    if isinstance(given, Tensor):
        return given.repeat_interleave(count, dim=0)
    states = given.last_hidden_state.repeat_interleave(count, dim=0)
    return type(given)(last_hidden_state=states)


def _as_candidates(record_ids: Tensor, count: int) -> Tensor:
    """Return (C,) what draws are of: the first candidate has those of the record itself."""
    places = torch.arange(count, device=record_ids.device) << _OF_CANDIDATE
    return (record_ids[:, None] + places).flatten()


class _Drawn:
    """Adds noise to logits, of which the greatest is then a draw from their distribution."""

    def __init__(self, decoding: Decoding, seed: int, record_ids: Tensor) -> None:
        assert decoding.temperature is not None
        assert decoding.nucleus is not None
        self._temperature, self._share = decoding.temperature, decoding.nucleus
        self._seed, self._record_ids = fold(seed, "write"), record_ids

    def __call__(self, tokens_BT: Tensor, logits_BV: Tensor) -> Tensor:
        """Return (B, V)."""
        logits_BV = logits_BV.float() / self._temperature
        if self._share < 1:
            logits_BV = _nucleus(logits_BV, self._share)
        draws = Draws(self._seed, tokens_BT.shape[1], self._record_ids)
        unit_BV = draws.uniform("token", logits_BV.shape[1])
        return logits_BV - (-unit_BV.log()).log()


def _nucleus(logits_BV: Tensor, share: float) -> Tensor:
    """Return logits of which only the likeliest that together have `share` are left."""
    sorted_BV, order_BV = logits_BV.sort(dim=1, descending=True, stable=True)
    probability_BV = sorted_BV.softmax(dim=1)
    before_BV = probability_BV.cumsum(dim=1) - probability_BV
    sorted_BV = sorted_BV.masked_fill(before_BV >= share, -torch.inf)
    return torch.empty_like(logits_BV).scatter(1, order_BV, sorted_BV)
