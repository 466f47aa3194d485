"""What others made is scored by the code that scores ours, and stands on the board as external."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assay import report
from assay.cli import app
from assay.errors import AssayError, ConfigError, DataError
from assay.generation.metrics import evaluate
from assay.report import leaderboard
from assay.report.folders import read_folder
from assay.result import read_plain, read_result, write_json
from assay.scoring import score
from assay.store import sets
from assay.submission import Submission, kind_of, read_submissions
from assay.submitted_captions import _read, score_captions
from tests.report.markup import parse
from tests.report.synthetic import write_suite
from tests.test_cli import ROOT

SCHEMA = ROOT / "docs" / "submission.schema.json"
MOLECULES = "5\n\nC 0 0 0\nH .63 .63 .63\nH -.63 -.63 .63\nH -.63 .63 -.63\nH .63 -.63 -.63\n"


def invoke(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    if isinstance(done.exception, AssayError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def captions(mini, tmp_path) -> Path:
    """A published folder of a captioning suite, without results."""
    sets.prepare("mini_captions")
    folder = tmp_path / "results" / "captions_mini"
    suite = {"name": "captions_mini", "title": "t", "family": "captioning",
             "data": "mini_captions", "grid": {"generator": ["retrieval"]}, "seeds": [0],
             "budget": {"steps": 1}}  # fmt: skip
    write_json(folder / "suite.json", suite)
    return folder


def answers(path: Path, change=lambda smiles, texts: (smiles, texts)) -> Path:
    """The references themselves, in the opposite order, as captions for the test split."""
    from assay.captioning.data.captions import captions_of, splits

    test = splits(captions_of(sets.open_set("mini_captions"))).test
    smiles, texts = change(test.smiles[::-1], test.captions[::-1])
    lines = [
        json.dumps({"smiles": one, "prediction": text, "reference": "of my own choice"}) + "\n"
        for one, text in zip(smiles, texts, strict=True)
    ]
    path.write_text("".join(lines))
    return path


def test_captions_are_held_against_the_references_of_the_data_whatever_a_file_says(captions):
    found = score_captions(answers(captions / "perfect.jsonl"), "mini_captions")
    swapped = answers(
        captions / "wrong.jsonl", lambda smiles, texts: (smiles, texts[1:] + texts[:1])
    )

    assert found["metrics"]["sacrebleu/bleu"]["value"] == pytest.approx(1.0)
    assert score_captions(swapped, "mini_captions")["metrics"]["sacrebleu/bleu"]["value"] < 0.9


def test_a_doubled_backslash_is_one(tmp_path):
    lines = [{"smiles": smiles, "prediction": "x"} for smiles in (r"F/C=C\\F", r"F/C=C\Cl")]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert set(_read(path)) == {r"F/C=C\F", r"F/C=C\Cl"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s, t: (s[1:], t[1:]), r"1 of its molecules are missing \(such as "),
        (lambda s, t: ([*s, "CCCCCCCC"], [*t, "x"]), r"1 molecules are not of it \(such as 'CCCCC"),
        (lambda s, t: ([*s, s[0]], [*t, "x"]), r"line \d+: smiles .* is there twice"),
        (lambda s, t: (s, [*t[:-1], 3]), r"line \d+: is no JSON object with the texts"),
    ],
    ids=["missing", "foreign", "twice", "no text"],
)
def test_captions_of_anything_but_the_whole_test_split_are_refused(captions, change, sentence):
    with pytest.raises(DataError, match=sentence):
        score_captions(answers(captions / "bad.jsonl", change), "mini_captions")


def test_an_entry_has_what_evaluate_says_and_the_checksum_of_its_file(mini, tmp_path, monkeypatch):
    known = {name: evaluate.MOLECULE_PROTOCOLS[name] for name in ("edm", "edm_strict")}
    monkeypatch.setattr(evaluate, "MOLECULE_PROTOCOLS", known)  # the others take their time
    folder = tmp_path / "results" / "grid_mini"
    write_suite(folder)
    samples = tmp_path / "samples.xyz"
    samples.write_text(MOLECULES * 3 + "2\n\nC 0 0 0\nXx 1 0 0\n")

    said = invoke("submit", str(samples), "--name", "Methane only", "--suite", str(folder),
                  "--by", "Nobody", "--url", "https://example.org/a", "--json")  # fmt: skip

    (entry,) = read_submissions(folder)
    assert json.loads(said) == entry.model_dump(mode="json")
    assert (folder / "external" / "methane-only.json").exists()
    evaluated = score("molecules", samples, reference="mini")
    assert entry.model_dump()["estimates"] == evaluated["metrics"]
    assert entry.estimates["edm/molecule_stability"].value == 0.75
    assert (entry.file.records, entry.file.rejected) == (4, 1)
    assert entry.file.sha256 == evaluated["provenance"]["sha256"]
    assert entry.data == {"name": "mini", "digest": sets.open_set("mini").digest}
    with pytest.raises(ConfigError, match="there is an entry of that name; --replace"):
        invoke("submit", str(samples), "--name", "methane ONLY", "--suite", str(folder))


def test_a_name_is_shown_as_it_is_given(mini, tmp_path, monkeypatch):
    only = {"edm": evaluate.MOLECULE_PROTOCOLS["edm"]}
    monkeypatch.setattr(evaluate, "MOLECULE_PROTOCOLS", only)
    write_suite(tmp_path / "grid_mini")
    (tmp_path / "samples.xyz").write_text(MOLECULES)

    said = invoke("submit", str(tmp_path / "samples.xyz"), "--name", "A [/b] [c]", "--suite",
                  str(tmp_path / "grid_mini"))  # fmt: skip
    assert "A [/b] [c], external" in said


def entry_of(folder: Path, name: str, quality: float, **more) -> None:
    """An external entry with the estimates of a synthetic cell."""
    key = min(path.stem for path in folder.glob("*.metrics.jsonl")).partition(".")[0]
    plain = read_result(folder / f"{key}.json").model_dump(mode="json")
    estimates = plain["estimates"]
    for each in estimates.values():
        each |= {"value": quality, "low": quality - 0.01, "high": quality + 0.01}
    estimates["fcd/fcd"] = {**each, "better": "lower"}
    entry = {
        "name": name, "suite": "grid_mini", "kind": "molecules",
        "data": {"name": "mini", "digest": "0" * 32}, "estimates": estimates,
        "file": {"name": "s.xyz", "sha256": "a" * 64, "size_bytes": 9, "records": 4,
                 "rejected": 1},
        "provenance": {"assay_version": "0.1.0", "code_digest": "c" * 16, "packages": {},
                       "created_utc": "2026-01-02T03:04:05+00:00", "remarks": ["moses: too few"]},
        **more,
    }  # fmt: skip
    write_json(folder / "external" / f"{name.lower()}.json", Submission.model_validate(entry))


def test_the_leaderboard_has_an_external_entry_where_its_figures_put_it(tmp_path):
    folder = tmp_path / "grid_mini"
    write_suite(folder)
    entry_of(folder, "Better", 0.97, url="https://example.org/a", by="<b>Somebody</b>")
    entry_of(folder, "Worse", 0.05)

    page = parse(report.build([folder], tmp_path / "page.html").read_text())

    rows = page.one("table", class_="board").one("tbody").all("tr")
    labels = [row.attributes["data-label"] for row in rows]
    assert (labels[0], labels[-1], len(rows)) == ("Better", "Worse", 11)
    assert "external" in rows[0].text
    assert "external" not in rows[1].text
    assert "best" in rows[0].all("td", class_="m")[0].attributes["class"]
    assert len({len(row.all("td")) for row in rows}) == 1
    assert "fcd" not in page.one("table", class_="board").one("thead").text
    (told,) = page.all("details", id="s1-external-better")
    for words in ("<b>Somebody</b>", "a" * 64, "4 records, 1 of them rejected", "moses: too few"):
        assert words in told.text
    assert "another version of the data than the models here: Better; Worse." in page.text
    assert "Which model?" in page.text
    assert "Better" not in page.all("section", class_="answer")[0].text


def test_external_entries_are_among_the_rows_and_never_averaged(tmp_path):
    folder = tmp_path / "grid_mini"
    write_suite(folder, seeds=(0, 1))
    entry_of(folder, "Better", 0.97)
    read = read_folder(folder)

    rows = leaderboard(read.results, read.reference, read.external)

    assert [row.kind for row in rows][:2] == ["external", "mean"]
    assert rows[0].cost is None
    assert rows[-1].kind == "reference"


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda d: d.update(external=False), "external"),
        (lambda d: d.update(url="javascript:alert(1)"), "url"),
        (lambda d: d["file"].update(sha256="a"), "sha256"),
        (lambda d: d.update(cost=3), "unknown key 'cost'"),
        (lambda d: d.update(name="Other"), "call it other.json"),
    ],
)
def test_an_entry_that_breaks_the_schema_is_named(tmp_path, harm, sentence):
    folder = tmp_path / "grid_mini"
    write_suite(folder, grid={"architecture": ["gnn"], "process": ["diffusion"]})
    entry_of(folder, "Better", 0.97)
    path = folder / "external" / "better.json"
    entry = read_plain(path)
    harm(entry)
    path.write_text(json.dumps(entry))

    with pytest.raises(DataError, match=sentence) as error:
        read_folder(folder)
    assert str(path) in str(error.value)


def test_what_cannot_be_submitted_is_refused_in_words(tmp_path):
    with pytest.raises(ConfigError, match="ogbl_ddi: holds a graph, for which nothing can be"):
        kind_of("ogbl_ddi")
    with pytest.raises(ConfigError, match=r"no suite's published folder \(suite.json"):
        invoke("submit", "a.xyz", "--name", "x", "--suite", str(tmp_path))
    write_suite(tmp_path / "s", grid={"architecture": ["gnn"], "process": ["diffusion"]})
    with pytest.raises(ConfigError, match="needs a letter or a digit"):
        invoke("submit", "a.xyz", "--name", "!", "--suite", str(tmp_path / "s"))


def test_the_documented_schema_is_that_of_the_code():
    """After a change: python -m tests.test_submission"""
    assert read_plain(SCHEMA) == Submission.model_json_schema()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "bleu2", "bleu4", "meteor", "rouge_l"),
    [("small", 0.5315, 0.4449, 0.5575, 0.5639), ("base", 0.5508, 0.4644, 0.5745, 0.5768)],
)
def test_the_released_predictions_of_molt5(
    assay_data, tmp_path, monkeypatch, model, bleu2, bleu4, meteor, rouge_l
):
    from assay.store import assets

    monkeypatch.setenv("ASSAY_DATA", str(assay_data))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    sets.prepare("captions_pool")
    assets.prepare("caption-metrics")
    released = assay_data / "caption_metrics" / f"predictions_molt5-{model}.jsonl.gz"
    folder = tmp_path / "results" / "captions_chebi20"
    suite = {"name": "captions_chebi20", "title": "t", "family": "captioning",
             "data": "captions_pool", "grid": {}, "seeds": [0], "budget": {}}  # fmt: skip
    write_json(folder / "suite.json", suite)

    invoke("submit", str(released), "--name", f"MolT5-{model}", "--suite", str(folder))

    (entry,) = read_submissions(folder)
    with gzip.open(released) as opened:
        assert entry.file.records == sum(1 for _ in opened) == 3300
    found = {name: entry.estimates[f"molt5/{name}"].value
             for name in ("bleu2", "bleu4", "meteor", "rougeL")}  # fmt: skip
    wanted = {"bleu2": bleu2, "bleu4": bleu4, "meteor": meteor, "rougeL": rouge_l}
    assert found == pytest.approx(wanted, abs=1e-3)


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(Submission.model_json_schema(), indent=1) + "\n")
