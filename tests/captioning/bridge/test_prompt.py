import numpy as np
import pytest
import torch

from assay.captioning.bridge.language import tokenizer_of
from assay.captioning.bridge.prompt import IGNORED, PLACE, PROMPT, PROMPTS, PromptWriter
from assay.errors import ConfigError, DataError
from tests.captioning.bridge.small import settings_of

ALANINE = "C[C@H](N)C(=O)O"
TASK = "\nTask: Describe the molecule's chemical properties and groups.<|assistant|>"


@pytest.fixture(scope="module")
def tokenizer(few):
    return tokenizer_of(settings_of(), few.smiles, few.captions)


def writer(tokenizer, inputs="both", graph_tokens=1, context=256):
    return PromptWriter(tokenizer, PROMPTS[inputs], inputs, graph_tokens, context)


def read(tokenizer, tokens):
    """Return the text of tokens, with a mark where graph tokens are put."""
    text, run = "", []
    for token in [*tokens, None]:
        if token is None or token == PLACE:
            text += tokenizer.decode(run, clean_up_tokenization_spaces=False)
            text += "[GRAPH_TOKEN]" * (token == PLACE)
            run = []
        else:
            run.append(token)
    return text


def test_the_prompt_is_this_string():
    assert PROMPT == (
        "<|user|>Molecule Structure: [GRAPH_TOKEN] | SMILES: [SMILES]\nTask: Describe the "
        "molecule's chemical properties and groups.<|assistant|>"
    )


@pytest.mark.parametrize(
    ("inputs", "begins"),
    [
        ("both", f"<|user|>Molecule Structure: [GRAPH_TOKEN] | SMILES: {ALANINE}"),
        ("graph", "<|user|>Molecule Structure: [GRAPH_TOKEN]"),
        ("smiles", f"<|user|>SMILES: {ALANINE}"),
    ],
)
def test_a_prompt_reads_as_it_is_written_and_does_not_mention_what_it_does_not_tell(
    tokenizer, inputs, begins
):
    tokens, cut = writer(tokenizer, inputs).prompt(ALANINE)

    assert read(tokenizer, tokens) == begins + TASK
    assert not cut


@pytest.mark.parametrize(
    ("inputs", "then"),
    [
        ("both", f"Molecule Structure: [GRAPH_TOKEN] | SMILES: {ALANINE}"),
        ("smiles", f"SMILES: {ALANINE}"),
    ],
)
def test_neighbours_are_told_of_line_by_line_before_the_molecule(tokenizer, inputs, then):
    write = writer(tokenizer, inputs)
    lines = [write.neighbour(caption, 99) for caption in ("It is an acid.", "It is an ester.")]

    tokens, cut = write.prompt(ALANINE, lines)

    shown = "Similar molecule: It is an acid.\nSimilar molecule: It is an ester.\n"
    assert read(tokenizer, tokens) == f"<|user|>{shown}{then}{TASK}"
    assert not cut


def test_neighbours_are_cut_and_beside_the_context(tokenizer):
    write = writer(tokenizer, context=128)
    line = write.neighbour("acid " * 200, 40)
    alone, shown = write.write(ALANINE, "acid " * 200), write.write(ALANINE, "acid " * 200, [line])

    assert len(line) == 40
    assert tokenizer.decode(line[-1:]) == "\n"
    assert 128 <= len(shown.tokens) <= 128 + 40
    answers = [len(each.tokens) - each.n_prompt for each in (alone, shown)]
    assert answers[1] >= answers[0] - 2  # no more than what the tokens around it join to


def test_a_bridge_reads_the_captions_of_others(made):
    bridge = made(neighbours=2, neighbour_tokens=30)
    tokenizer = bridge.generator.tokenizer
    plain, batch = made().records.batch(np.arange(5)), bridge.records.batch(np.arange(5))

    for row in range(5):
        text = read(tokenizer, batch.tokens_BT[row, : batch.n_tokens_B[row]].tolist())
        lines = text.splitlines()
        assert lines[0].startswith("<|user|>Similar molecule: ")
        assert lines[1].startswith("Similar molecule: ")
        told = [line.partition("Similar molecule: ")[2] for line in lines[:2]]
        assert not any(batch.captions[row] == each for each in told)
    assert (batch.n_tokens_B > plain.n_tokens_B).all()
    assert int(batch.n_tokens_B.max()) <= bridge.generator.settings.reads == 256 + 60
    assert bridge.model.language.config.max_position_embeddings == 256 + 60


def test_four_graph_tokens_have_four_places(tokenizer):
    tokens, _ = writer(tokenizer, graph_tokens=4).prompt(ALANINE)

    assert tokens.count(PLACE) == 4
    first = tokens.index(PLACE)
    assert tokens[first : first + 4] == [PLACE] * 4


def test_only_the_answer_and_its_end_are_to_be_said(tokenizer):
    written = writer(tokenizer).write(ALANINE, "It is an amino acid.")

    said = [label for label in written.labels if label != IGNORED]
    assert tokenizer.decode(said[:-1]) == "It is an amino acid."
    assert said[-1] == tokenizer.eos_token_id
    assert written.labels[: written.n_prompt] == (IGNORED,) * written.n_prompt
    assert len(written.labels) == len(written.tokens)


def test_in_a_batch_prompts_and_padding_are_masked(made):
    batch = made().records.batch(np.arange(6))

    said_BT = batch.labels_BT != IGNORED
    assert torch.equal(batch.labels_BT[said_BT], batch.tokens_BT[said_BT])
    assert not (said_BT & ~batch.mask_BT).any()
    prompts_BP, mask_BP = batch.prompts(0)
    n_B = (batch.mask_BT & ~said_BT).sum(1)
    for row in range(6):
        kept = prompts_BP[row][mask_BP[row]]
        assert torch.equal(kept, batch.tokens_BT[row, : n_B[row]])
        assert bool(mask_BP[row, -1])  # padded before, not after


def test_what_is_longer_than_the_context_is_cut_and_told(tokenizer):
    write = writer(tokenizer, context=128).write

    long_answer = write(ALANINE, "acid " * 200)
    long_smiles = write("C" * 900, "An alkane.")

    assert (len(long_answer.tokens), long_answer.tokens[-1]) == (128, tokenizer.eos_token_id)
    assert (long_answer.is_answer_cut, long_answer.is_smiles_cut) == (True, False)
    assert (long_smiles.is_answer_cut, long_smiles.is_smiles_cut) == (False, True)
    assert long_smiles.n_prompt <= 64
    assert read(tokenizer, long_smiles.tokens[: long_smiles.n_prompt]).endswith(TASK)


def test_the_note_counts_what_is_cut(made):
    whole, bridge = made(), made(context=128)
    longer = int((whole.records.lengths > 128).sum())

    assert longer
    assert bridge.generator.note(bridge.records).startswith(f"{longer} training captions and 0")
    assert whole.generator.note(whole.records) == ""


def test_a_prompt_without_the_graph_token_is_refused(tokenizer):
    with pytest.raises(ConfigError, match=r"0 \[GRAPH_TOKEN\] where inputs are both; give it 1"):
        PromptWriter(tokenizer, PROMPTS["smiles"], "both", 1, 256)
    with pytest.raises(ConfigError, match=r"1 \[GRAPH_TOKEN\] where inputs are smiles"):
        PromptWriter(tokenizer, PROMPT, "smiles", 1, 256)


def test_a_context_that_the_prompt_fills_is_refused(tokenizer):
    with pytest.raises(ConfigError, match="takes more than half of it"):
        writer(tokenizer, context=64, graph_tokens=30)


def test_a_tokenizer_that_changes_the_prompt_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "Task": 1, "</s>": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    lossy = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")
    endless = PreTrainedTokenizerFast(tokenizer_object=words)

    with pytest.raises(DataError, match="give a byte-level one"):
        writer(lossy)
    with pytest.raises(DataError, match="no token that ends a text"):
        writer(endless)
