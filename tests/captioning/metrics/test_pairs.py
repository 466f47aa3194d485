import gzip
import json

import pytest

from assay.captioning.metrics.pairs import read_pairs
from assay.errors import DataError
from tests.captioning.metrics.lines import line, write


def refused(tmp_path, *lines):
    path = write(tmp_path / "pairs.jsonl", *lines)
    with pytest.raises(DataError) as caught:
        read_pairs(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


def test_lines_are_kept_in_the_order_of_their_texts(tmp_path):
    path = write(tmp_path / "a.jsonl", line("x", "b", smiles="C"), line("y", "a", smiles="O"))

    pairs, rejected = read_pairs(path)

    assert (pairs.predictions, pairs.references) == (["y", "x"], ["a", "b"])
    assert [molecule.GetAtomWithIdx(0).GetSymbol() for molecule in pairs.molecules] == ["O", "C"]
    assert rejected == []


def test_a_gzip_file_is_read_and_blank_lines_are_passed_over(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(f"\n{json.dumps(line())}\n\n".encode()))

    assert len(read_pairs(path)[0]) == 1


def test_a_line_separator_within_a_text_ends_no_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line("one\u2028two"), ensure_ascii=False), encoding="utf-8")

    assert read_pairs(path)[0].predictions == ["one\u2028two"]


def test_an_empty_prediction_is_counted_and_kept(tmp_path):
    pairs, _ = read_pairs(write(tmp_path / "a.jsonl", line(""), line(" "), line("x")))

    assert (len(pairs), pairs.empty) == (3, 2)


def test_a_smiles_that_cannot_be_parsed_keeps_its_texts(tmp_path):
    path = write(
        tmp_path / "a.jsonl", line(smiles="C"), line("z", smiles="C1(("), line("y", smiles="")
    )

    pairs, rejected = read_pairs(path)

    assert len(pairs) == 3
    assert [(entry.record, entry.reason) for entry in rejected] == [
        (2, "smiles 'C1((' cannot be parsed"),
        (3, "smiles '' cannot be parsed"),
    ]
    assert pairs.molecules.count(None) == 2


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([line(), "{nonsense"], "line 2: is not JSON ("),
        (["[" * 100_000], "line 1: is not JSON ("),
        (["[1, 2]"], "line 1: is no JSON object with prediction and reference"),
        ([line(), {"prediction": "x"}], "line 2: reference is missing"),
        ([{"reference": "x"}], "line 1: prediction is missing"),
        ([{"prediction": 3, "reference": "x"}], "line 1: prediction is '3', not a string"),
        ([{"prediction": None, "reference": "x"}], "line 1: prediction is 'null', not a string"),
        ([line(smiles=["C"])], "line 1: smiles is"),
        ([line("x", " ")], "line 1: reference is empty"),
        ([line("x\ud800")], "line 1: prediction holds half a character"),
        ([line("x" * 20_001)], "line 1: prediction has 20,001 characters; up to 20,000"),
        ([line(smiles="C"), line()], "line 2: smiles is missing; give it in every line, or none"),
        ([line(""), line("  ")], "every prediction is empty: there is nothing to score"),
        ([], "is empty; a line is a JSON object with prediction and reference"),
    ],
)
def test_bad_input_is_one_sentence_that_names_file_line_and_key(tmp_path, lines, sentence):
    assert refused(tmp_path, *lines).startswith(sentence)
