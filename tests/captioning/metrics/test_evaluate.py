import io
import json
import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from assay.captioning.metrics.evaluate import evaluate_captions
from assay.cli import app
from assay.errors import ConfigError, DataError
from assay.generation.metrics.evaluate import table
from assay.task import Estimate
from tests.captioning.metrics.lines import line, write

QUICK = ["whitespace", "groups"]
LINES = [
    line("It is a phenol.", "It is a phenol that is aromatic.", smiles="Oc1ccccc1"),
    line("", "It is a nitrile.", smiles="CC#N"),
    line("It is an ether.", "It is an amine.", smiles="C1(("),
]


@pytest.fixture
def captions(tmp_path):
    return write(tmp_path / "pairs.jsonl", *LINES)


def invoke(*words):
    return CliRunner().invoke(app, ["evaluate", "captions", *map(str, words)])


def test_the_document_is_that_of_molecules(captions):
    document = evaluate_captions(captions, QUICK)

    assert set(document) == {"metrics", "rejected", "provenance"}
    assert {k: Estimate(**v).n for k, v in document["metrics"].items()}["whitespace/bleu4"] == 3
    assert document["rejected"] == [{"record": 3, "reason": "smiles 'C1((' cannot be parsed"}]
    provenance = document["provenance"]
    assert provenance["protocols"] == {"whitespace": "1", "groups": "1"}
    assert provenance["records"] == 3
    assert provenance["empty_predictions"] == 1
    assert "groups/charge_precision" in provenance["left_out"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_all_numbers_are_fractions(captions):
    for estimate in evaluate_captions(captions, ["sacrebleu", *QUICK])["metrics"].values():
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1


def test_the_order_of_lines_changes_nothing(captions, tmp_path):
    turned = write(tmp_path / "turned.jsonl", *LINES[::-1])

    assert (
        evaluate_captions(captions, QUICK)["metrics"]
        == (evaluate_captions(turned, QUICK)["metrics"])
    )


def test_without_smiles_groups_are_left_out_and_the_rest_is_scored(tmp_path):
    document = evaluate_captions(write(tmp_path / "a.jsonl", line()), QUICK)

    assert set(document["metrics"]) == {"whitespace/bleu2", "whitespace/bleu4"}
    assert document["provenance"]["left_out"] == {"groups": "needs smiles in every line"}


def test_an_unknown_protocol_is_met_with_the_nearest(captions):
    with pytest.raises(ConfigError, match="did you mean 'molt5'"):
        evaluate_captions(captions, ["molt"])


def test_bertscore_without_a_model_says_what_it_needs(captions):
    with pytest.raises(ConfigError, match="bertscore: needs a model; give its folder with --bert"):
        evaluate_captions(captions, ["bertscore"])


def test_a_model_adds_bertscore_and_bertscore_alone_may_be_asked_for(captions, tiny_bert):
    with_it = evaluate_captions(captions, ["whitespace"], tiny_bert)
    alone = evaluate_captions(captions, ["bertscore"], tiny_bert)

    names = {f"bertscore/{name}" for name in ("precision", "recall", "f1")}
    assert set(with_it["metrics"]) == {"whitespace/bleu2", "whitespace/bleu4", *names}
    assert set(alone["metrics"]) == names
    assert set(alone["provenance"]["protocols"]) == {"bertscore"}


def test_the_table_shows_floors_and_what_was_left_out(captions):
    console = Console(width=90, file=io.StringIO())
    console.print(table(evaluate_captions(captions, QUICK)))
    shown = console.file.getvalue()

    for text in ("precision_ceiling", "precision_chance", "1 of 3 records rejected", "no such"):
        assert text in shown


def test_json_on_standard_output_is_all_that_is_printed(captions):
    result = invoke(captions, "--protocol", "whitespace", "--json", "-")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["metrics"].keys() == {"whitespace/bleu2", "whitespace/bleu4"}


def test_the_table_counts_empty_predictions_and_json_is_written(captions, tmp_path):
    out = tmp_path / "scores.json"

    result = invoke(captions, "--protocol", "groups", "--json", out)

    assert "1 of 3 predictions are empty: they score 0" in result.stdout
    assert json.loads(out.read_text())["provenance"]["samples"] == "pairs.jsonl"


def test_a_fault_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    out = tmp_path / "scores.json"

    for lines in ([line()], [line(), "{"]):
        result = invoke(write(tmp_path / "a.jsonl", *lines), "--json", out)
        assert isinstance(result.exception, DataError)

    assert not out.exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        evaluate_captions(tmp_path / "nowhere.jsonl", QUICK)


def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path):
    path = write(tmp_path / "a.jsonl", line(), {"prediction": "x"})

    result = subprocess.run(
        [sys.executable, "-m", "assay.cli", "evaluate", "captions", str(path)],
        capture_output=True,
        text=True,
    )

    assert result.returncode == 2
    assert result.stderr == f"error: {path}: line 2: reference is missing\n"
