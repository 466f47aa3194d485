import json
import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import DataError
from assay.interactions import metrics
from assay.interactions.score_file import evaluate_links

RANDOM = np.random.default_rng(0)
POS, NEG = RANDOM.normal(2.0, 1.0, 300), RANDOM.normal(0.0, 1.0, 400)


def written(path, **arrays):
    np.savez(path, **arrays)
    return path


def invoke(*words):
    return CliRunner().invoke(app, ["evaluate", "links", *map(str, words)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_is_judged_as_a_cells_own_scores_are(tmp_path, dtype):
    pos, neg = POS.astype(dtype), NEG.astype(dtype)

    document = evaluate_links(written(tmp_path / "s.npz", pos=pos, neg=neg))

    expected = {name: each.model_dump() for name, each in metrics.evaluate(pos, neg).items()}
    assert document["metrics"] == expected
    assert set(expected) == {"ogb/hits_at_10", "ogb/hits_at_20", "ogb/hits_at_30"}
    provenance = document["provenance"]
    assert (provenance["protocols"], provenance["records"]) == ({"ogb": metrics.VERSION}, 700)
    assert set(provenance["left_out"]) == {"coverage", "heart"}
    assert len(provenance["sha256"]) == 64


def test_json_to_standard_output_is_nothing_but_json(tmp_path):
    result = invoke(written(tmp_path / "s.npz", pos=POS, neg=NEG), "--json", "-")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found) == {"metrics", "rejected", "provenance"}
    estimate = found["metrics"]["ogb/hits_at_20"]
    assert estimate["low"] < estimate["value"] < estimate["high"]
    assert estimate["value"] == metrics.hits_at_k(POS, NEG, 20).value


def test_json_to_a_file_is_what_the_table_shows(tmp_path):
    out = tmp_path / "hits.json"

    result = invoke(written(tmp_path / "s.npz", pos=POS, neg=NEG), "--json", out)

    assert result.exit_code == 0
    value = json.loads(out.read_text())["metrics"]["ogb/hits_at_20"]["value"]
    assert f"{value:.4f}" in result.stdout
    assert "hits_at_20" in result.stdout


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pos": POS}, "s.npz: has no array 'neg'"),
        ({"neg": NEG}, "s.npz: has no array 'pos'"),
        ({"pos": POS.reshape(2, 150), "neg": NEG}, "array 'pos' has shape (2, 150); give one"),
        ({"pos": POS, "neg": np.float64(1)}, "array 'neg' has shape (); give one score a pair"),
        ({"pos": np.arange(9), "neg": NEG}, "array 'pos' is of int64, expected float"),
        ({"pos": POS, "neg": np.full(40, np.nan)}, "scores of negatives: 40 of 40 are not finite"),
        ({"pos": np.array([np.inf, 1]), "neg": NEG}, "scores of edges: 1 of 2 are not finite"),
        ({"pos": POS[:0], "neg": NEG}, "scores of edges: there are none"),
        ({"pos": POS, "neg": NEG[:29]}, "scores of negatives: 29 are too few for Hits@30"),
    ],
)
def test_scores_that_cannot_be_ranked_are_one_sentence(tmp_path, arrays, said):
    path = written(tmp_path / "s.npz", **arrays)

    with pytest.raises(DataError) as refused:
        evaluate_links(path)

    sentence = str(refused.value)
    assert said in sentence
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence


class Evil:
    """Unpickled, it would raise."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no archive"),
        lambda path: path.write_bytes(path.read_bytes()[:400]),
        lambda path: path.write_bytes(pickle.dumps(Evil())),
        lambda path: np.savez(path, pos=np.array([Evil()], dtype=object), neg=NEG),
    ],
    ids=["text", "torn", "pickle", "pickled array"],
)
def test_what_is_no_archive_of_numbers_is_refused_and_nothing_of_it_is_run(tmp_path, spoil):
    path = written(tmp_path / "s.npz", pos=POS, neg=NEG)
    spoil(path)

    with pytest.raises(DataError, match=r"s\.npz: cannot be read as npz"):
        evaluate_links(path)


def test_the_help_shows_the_format():
    result = invoke("--help")

    assert result.exit_code == 0
    assert "pos" in result.stdout
    assert "SCORES.npz" in result.stdout
