r"""The prompt and its answer as tokens, with places where graph tokens are put.

The prompt is this literal string, without a chat template; [SMILES] is replaced as text, and
[GRAPH_TOKEN] among the embeddings, by K of them. What a control does not tell is not mentioned:

    both      <|user|>Molecule Structure: [GRAPH_TOKEN] | SMILES: [SMILES]\nTask: …<|assistant|>
    graph     <|user|>Molecule Structure: [GRAPH_TOKEN]\nTask: …<|assistant|>
    smiles    <|user|>SMILES: [SMILES]\nTask: …<|assistant|>

Where neighbours are shown, their captions stand before, a line each:

    both      <|user|>Similar molecule: …\nMolecule Structure: [GRAPH_TOKEN] | SMILES: …
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.captioning.bridge.settings import Inputs
from assay.errors import ConfigError, DataError

GRAPH, SMILES = "[GRAPH_TOKEN]", "[SMILES]"
PROMPT = (
    "<|user|>Molecule Structure: [GRAPH_TOKEN] | SMILES: [SMILES]\n"
    "Task: Describe the molecule's chemical properties and groups.<|assistant|>"
)
PROMPTS: Mapping[Inputs, str] = {
    "both": PROMPT,
    "graph": PROMPT.replace(" | SMILES: [SMILES]", ""),
    "smiles": PROMPT.replace("Molecule Structure: [GRAPH_TOKEN] | ", ""),
}
USER = "<|user|>"
"""With which every prompt begins; neighbours are told of after it."""
NEIGHBOUR = "Similar molecule: "
"""Before the caption of a neighbour, which a line break ends."""
PLACE = -1
"""Stands among the tokens where a graph token is put."""
IGNORED = -100
"""The label of what is not to be said: prompt and padding."""


@dataclass(frozen=True)
class Written:
    """A prompt and its answer, as tokens."""

    tokens: tuple[int, ...]
    n_prompt: int
    """How many of them are the prompt; the rest is the answer, with the token that ends it."""
    is_smiles_cut: bool
    is_answer_cut: bool

    @property
    def labels(self) -> tuple[int, ...]:
        """Return the tokens, with what is not to be said masked."""
        return (IGNORED,) * self.n_prompt + self.tokens[self.n_prompt :]


class PromptWriter:
    """Makes prompts of SMILES, in the subwords of one language model."""

    def __init__(
        self, tokenizer: Any, template: str, inputs: Inputs, graph_tokens: int, context: int
    ) -> None:
        """Check that the tokenizer reads the prompt as it is written.

        Args:
            tokenizer: Of transformers.
            template: Of the prompt, one of `PROMPTS`.
            inputs: What it tells.
            graph_tokens: K.
            context: Tokens of prompt and answer, at most.

        Raises:
            ConfigError: the template lacks a mark of what it is to tell, or has it twice, or
                leaves no room.
            DataError: the tokenizer has no token for the end, or does not keep the prompt.
        """
        for mark, told in ((GRAPH, inputs != "smiles"), (SMILES, inputs != "graph")):
            if template.count(mark) != told:
                raise ConfigError(
                    f"the prompt has {template.count(mark)} {mark} where inputs are {inputs}; "
                    f"give it {int(told)}"
                )
        if tokenizer.eos_token_id is None:
            raise DataError("the tokenizer has no token that ends a text; give it an eos_token")
        self._tokenizer, self._end, self._context = tokenizer, tokenizer.eos_token_id, context
        before, mark, after = template.partition(GRAPH)
        self._before, self._after = (before, after) if mark else ("", before)
        places = [PLACE] * graph_tokens if mark else []
        self._user = self.encoded(USER)
        self._begins = self.encoded(self._before) + places
        self._begins_after_lines = self.encoded(self._before.removeprefix(USER)) + places
        self._most_prompt = context // 2
        if len(self.prompt("")[0]) > self._most_prompt:
            raise ConfigError(
                f"context {context}: the prompt alone takes more than half of it; raise it"
            )
        for text in (self._before, self._after.replace(SMILES, "C[C@H](N)C(=O)O")):
            kept = tokenizer.decode(self.encoded(text), clean_up_tokenization_spaces=False)
            if kept != text:
                raise DataError(f"the tokenizer reads {text!r} as {kept!r}; give a byte-level one")

    def encoded(self, text: str) -> list[int]:
        """Return a text's tokens, nothing added."""
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def neighbour(self, caption: str, most: int) -> list[int]:
        """Return a line that tells of a similar molecule, of `most` tokens at most."""
        before, after = self.encoded(NEIGHBOUR), self.encoded("\n")
        room = max(0, most - len(before) - len(after))
        return before + self.encoded(caption)[:room] + after

    def prompt(
        self, smiles: str, neighbours: Sequence[Sequence[int]] = ()
    ) -> tuple[list[int], bool]:
        """Return the tokens of a prompt, and whether its SMILES had to be cut.

        Args:
            smiles: Of the molecule.
            neighbours: The lines that tell of similar ones; they are beside the context.
        """
        shown = [token for line in neighbours for token in line]
        begins, after = self._begins, self._after
        if shown:
            shown, begins = self._user + shown, self._begins_after_lines
            after = after.removeprefix(USER)
        kept = smiles
        while True:
            tokens = begins + self.encoded(after.replace(SMILES, kept))
            excess = len(tokens) - self._most_prompt
            if excess <= 0 or not kept:
                return shown + tokens, kept != smiles
            kept = kept[:-excess]  # a token has one character or more

    def write(self, smiles: str, caption: str, neighbours: Sequence[Sequence[int]] = ()) -> Written:
        """Return prompt and answer; a longer answer than the context has room for is cut."""
        prompt, is_smiles_cut = self.prompt(smiles, neighbours)
        answer = [*self.encoded(caption), self._end]
        room = self._context + sum(map(len, neighbours)) - len(prompt)
        is_cut = len(answer) > room
        kept = [*answer[: room - 1], self._end] if is_cut else answer
        return Written((*prompt, *kept), len(prompt), is_smiles_cut, is_cut)


def prompt_texts(inputs: Inputs, smiles: Sequence[str]) -> list[str]:
    """Return the prompts as text, such as a tokenizer is learned from; without neighbours."""
    return [PROMPTS[inputs].replace(GRAPH, "").replace(SMILES, one) for one in smiles]
