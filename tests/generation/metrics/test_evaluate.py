import io
import json

import numpy as np
import pytest
from rich.console import Console

from assay.chemistry.formats import write_xyz
from assay.chemistry.npz import write_npz
from assay.errors import ConfigError, DataError, MachineError
from assay.generation.metrics import edm, evaluate, fcd, reference
from assay.result import write_json
from assay.store.packed import PackedSet
from assay.task import Estimate
from tests.chemistry import geometries as g
from tests.generation.metrics import held

TRAINING = g.pack(g.WATER, g.METHANE)
VALIDATION = held.embedded("CCO", "CC=O")
TEST = g.pack(g.WATER, g.HCN, g.NITROGEN)
QUICK = ["edm", "edm_strict"]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A prepared set of two training, two validation and three test molecules, known as `qm9`."""
    molecules = g.pack(TRAINING, VALIDATION, TEST)
    arrays = {
        "positions": molecules.positions,
        "numbers": molecules.numbers,
        "offsets": molecules.offsets,
        "ids": np.arange(len(molecules)),
        "split": np.array([0, 0, 1, 1, 2, 2, 2], dtype=np.uint8),
    }
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    packed = PackedSet.write(
        tmp_path / "tiny", arrays, name="qm9", description="seven", source="rules"
    )
    monkeypatch.setattr(reference, "open_set", {"qm9": packed}.__getitem__)
    return packed


def scored(path, reference=None, names=("edm",)):
    return evaluate.evaluate_molecules(path, reference, processes=1, names=list(names))


def shown(document):
    console = Console(width=80, file=io.StringIO())
    console.print(evaluate.table(document))
    return console.file.getvalue()


def test_the_document_holds_the_estimates_of_the_protocol(tmp_path):
    write_npz(tmp_path / "a.npz", g.EVERYTHING)
    document = scored(tmp_path / "a.npz")
    assert set(document) == {"metrics", "rejected", "provenance"}
    expected = edm.evaluate(g.EVERYTHING, None, processes=1)
    assert {k: Estimate(**v) for k, v in document["metrics"].items()} == expected
    assert document["rejected"] == []
    assert document["provenance"]["protocols"] == {"edm": edm.VERSION}
    assert document["provenance"]["records"] == len(g.EVERYTHING)


def test_the_document_is_json(tmp_path, tiny):
    write_xyz(tmp_path / "a.xyz", g.EVERYTHING)
    document = scored(tmp_path / "a.xyz", "qm9")
    write_json(tmp_path / "a.json", document)
    assert json.loads((tmp_path / "a.json").read_text()) == document


def test_every_format_gives_the_same_numbers(tmp_path):
    write_npz(tmp_path / "a.npz", g.EVERYTHING)
    write_xyz(tmp_path / "a.xyz", g.EVERYTHING)
    documents = [scored(tmp_path / name) for name in ("a.npz", "a.xyz")]
    assert documents[0]["metrics"] == documents[1]["metrics"]


def test_rejected_records_are_listed_and_count_as_failures(tmp_path):
    write_xyz(tmp_path / "a.xyz", g.pack(g.WATER, g.METHANE, g.HCN))
    path = tmp_path / "a.xyz"
    path.write_text(path.read_text().replace("C 0 0 0", "Qq 0 0 0", 1))
    document = scored(path)
    assert document["rejected"] == [{"record": 2, "reason": "unknown element 'Qq'"}]
    assert document["provenance"]["records"] == 3
    for name in ("edm/molecule_stability", "edm/validity", "edm/valid_unique"):
        assert document["metrics"][name]["value"] == pytest.approx(2 / 3)
        assert document["metrics"][name]["n"] == 3
    assert document["metrics"]["edm/atom_stability"]["value"] == pytest.approx(2 / 3)


def test_the_reference_adds_novelty_and_the_data_row(tmp_path, tiny):
    write_npz(tmp_path / "a.npz", g.pack(g.WATER, g.FLUORINE))
    document = scored(tmp_path / "a.npz", "qm9")
    assert document["metrics"]["edm/novelty"]["value"] == 0.5
    row = document["provenance"]["reference"]
    assert row["name"] == "qm9"
    assert row["digest"] == tiny.digest
    assert row["records"] == {"edm": "3 of 3 of the test split"}
    known = edm.training_smiles(TRAINING, None, processes=1)
    expected = edm.evaluate(TEST, known, processes=1)
    assert {name: Estimate(**e) for name, e in row["metrics"].items()} == expected
    assert expected["edm/novelty"].value == pytest.approx(2 / 3)


def test_what_is_held_against_the_test_split_is_scored_on_another(tmp_path, tiny):
    """As many of the validation split as there are samples."""
    write_npz(tmp_path / "a.npz", held.embedded("CCO", "CCN"))
    row = scored(tmp_path / "a.npz", "qm9", ["moses"])["provenance"]["reference"]
    assert row["records"] == {"moses": "2 of 2 of the validation split"}
    assert row["metrics"]["moses/qed"]["n"] == 2
    assert row["metrics"]["moses/snn"]["value"] < 1


def test_the_data_row_is_scored_once(tmp_path, tiny, monkeypatch):
    write_npz(tmp_path / "a.npz", g.WATER)
    first = scored(tmp_path / "a.npz", "qm9", QUICK)["provenance"]["reference"]
    monkeypatch.setattr(PackedSet, "molecules_of", {"train": TRAINING}.__getitem__)
    assert scored(tmp_path / "a.npz", "qm9", QUICK)["provenance"]["reference"] == first


def test_a_new_version_of_a_protocol_scores_the_data_again(tmp_path, tiny, monkeypatch):
    write_npz(tmp_path / "a.npz", g.WATER)
    scored(tmp_path / "a.npz", "qm9")
    monkeypatch.setattr(edm.EDM, "version", "2")
    monkeypatch.setattr(PackedSet, "molecules_of", {"train": TRAINING}.__getitem__)
    with pytest.raises(KeyError, match="test"):
        scored(tmp_path / "a.npz", "qm9")


def test_all_protocols_are_used_unless_some_are_named(tmp_path, monkeypatch):
    known = {name: evaluate.MOLECULE_PROTOCOLS[name] for name in ("edm_strict", "edm", "moses")}
    monkeypatch.setattr(evaluate, "MOLECULE_PROTOCOLS", known)
    write_npz(tmp_path / "a.npz", g.pack(g.WATER, g.WATER))
    found = evaluate.evaluate_molecules(tmp_path / "a.npz", None, processes=1)
    assert list(found["provenance"]["protocols"]) == ["edm_strict", "edm", "moses"]
    assert {name.partition("/")[0] for name in found["metrics"]} == set(known)
    assert list(scored(tmp_path / "a.npz", names=["edm", "edm"])["provenance"]["protocols"]) == [
        "edm"
    ]


def test_a_protocol_that_is_not_known_is_refused(tmp_path):
    write_npz(tmp_path / "a.npz", g.WATER)
    with pytest.raises(ConfigError, match=r"unknown protocol 'edm_strickt'.*'edm_strict'"):
        scored(tmp_path / "a.npz", names=["edm_strickt"])


def test_a_protocol_that_lacks_something_is_left_out_and_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fcd.FCD, "lacks", lambda self: "fcd_torch is not installed; run `pip`")
    write_npz(tmp_path / "a.npz", g.WATER)
    with pytest.raises(MachineError, match="protocol fcd: fcd_torch is not installed"):
        scored(tmp_path / "a.npz", names=["fcd"])
    known = {name: evaluate.MOLECULE_PROTOCOLS[name] for name in ("edm", "fcd")}
    monkeypatch.setattr(evaluate, "MOLECULE_PROTOCOLS", known)
    document = evaluate.evaluate_molecules(tmp_path / "a.npz", None, processes=1)
    sentence = "fcd_torch is not installed; run `pip`"
    assert document["provenance"]["left_out"] == {"fcd": sentence}
    assert list(document["provenance"]["protocols"]) == ["edm"]
    assert f"fcd: {sentence}" in shown(document)


def test_a_protocol_that_found_nothing_says_why(tmp_path, tiny):
    write_npz(tmp_path / "a.npz", g.WATER)
    document = scored(tmp_path / "a.npz", names=["fcd"])
    assert "give --reference" in document["provenance"]["left_out"]["fcd"]
    document = scored(tmp_path / "a.npz", "qm9", ["fcd"])
    assert "too few samples" in document["provenance"]["left_out"]["fcd"]


def test_whoever_watches_is_told_which_protocol_is_at_work(tmp_path, tiny):
    write_npz(tmp_path / "a.npz", g.WATER)
    seen = []
    evaluate.evaluate_molecules(
        tmp_path / "a.npz", "qm9", 1, QUICK, lambda phase, done: seen.append((phase, done))
    )
    assert seen == [
        ("edm", 0.0), ("edm_strict", 0.5), ("edm of qm9", 0.0), ("edm_strict of qm9", 0.5),
    ]  # fmt: skip


def test_the_table_shows_samples_data_row_and_rejected_records(tmp_path, tiny):
    path = tmp_path / "a.xyz"
    write_xyz(path, g.pack(g.WATER, g.METHANE, *[g.HCN] * 8))
    path.write_text(path.read_text().replace("N 1.1", "[bold]N 1.1"))
    text = shown(scored(path, "qm9"))
    words = " ".join(text.split())
    assert "a.xyz value 95 % interval n qm9" in words
    assert "edm, version 1" in text
    assert "validity 0.2000 0.0567 - 0.5098 10 1.0000" in words
    assert "qm9: 3 of 3 of the test split by the same code (edm)" in text
    assert "8 of 10 records rejected, the first 5:" in text
    assert "record 3: unknown element '[bold]N'" in text


def test_small_numbers_keep_their_digits(tmp_path):
    estimate = Estimate(value=3.456e-4, low=0, high=0.25, n=9, version="1", better="lower")
    document = {
        "metrics": {"x/y": estimate.model_dump()},
        "rejected": [],
        "provenance": {"samples": "a", "protocols": {"x": "1"}, "left_out": {}},
    }
    assert "3.46e-4 0.0000 - 0.2500 9" in " ".join(shown(document).split())


def test_a_data_set_that_does_not_exist_is_named(tmp_path):
    write_npz(tmp_path / "a.npz", g.WATER)
    with pytest.raises(ConfigError, match="did you mean 'qm9'"):
        scored(tmp_path / "a.npz", "qm8")


def test_a_file_without_a_usable_molecule_is_an_error(tmp_path):
    (tmp_path / "a.xyz").write_text("1\n\nQq 0 0 0\n")
    with pytest.raises(DataError, match="holds no usable molecule"):
        scored(tmp_path / "a.xyz")
