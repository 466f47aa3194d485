import io
import json

import numpy as np
import pytest
from rich.console import Console

from assay.chemistry.formats import write_xyz
from assay.chemistry.npz import write_npz
from assay.errors import ConfigError, DataError
from assay.generation.metrics import edm, evaluate
from assay.result import write_json
from assay.store.packed import PackedSet
from assay.task import Estimate
from tests.chemistry import geometries as g

TRAINING = g.pack(g.WATER, g.METHANE)
TEST = g.pack(g.WATER, g.HCN, g.NITROGEN)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A prepared data set of two training and three test molecules, known as `qm9`."""
    molecules = g.pack(TRAINING, TEST)
    arrays = {
        "positions": molecules.positions,
        "numbers": molecules.numbers,
        "offsets": molecules.offsets,
        "ids": np.arange(len(molecules)),
        "split": np.array([0, 0, 2, 2, 2], dtype=np.uint8),
    }
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    packed = PackedSet.write(
        tmp_path / "tiny", arrays, name="qm9", description="five", source="rules"
    )
    monkeypatch.setattr(evaluate, "open_set", {"qm9": packed}.__getitem__)
    return packed


def shown(document):
    console = Console(width=80, file=io.StringIO())
    console.print(evaluate.table(document))
    return console.file.getvalue()


def test_the_document_holds_the_estimates_of_the_protocol(tmp_path):
    write_npz(tmp_path / "a.npz", g.EVERYTHING)
    document = evaluate.evaluate_file(tmp_path / "a.npz", None, processes=1)
    assert set(document) == {"metrics", "rejected", "provenance"}
    expected = edm.evaluate(g.EVERYTHING, None, processes=1)
    assert {k: Estimate(**v) for k, v in document["metrics"].items()} == expected
    assert document["rejected"] == []
    assert document["provenance"]["protocol"] == f"edm {edm.VERSION}"
    assert document["provenance"]["records"] == len(g.EVERYTHING)


def test_the_document_is_json(tmp_path, tiny):
    write_xyz(tmp_path / "a.xyz", g.EVERYTHING)
    document = evaluate.evaluate_file(tmp_path / "a.xyz", "qm9", processes=1)
    write_json(tmp_path / "a.json", document)
    assert json.loads((tmp_path / "a.json").read_text()) == document


def test_every_format_gives_the_same_numbers(tmp_path):
    write_npz(tmp_path / "a.npz", g.EVERYTHING)
    write_xyz(tmp_path / "a.xyz", g.EVERYTHING)
    documents = [
        evaluate.evaluate_file(tmp_path / name, None, processes=1) for name in ("a.npz", "a.xyz")
    ]
    assert documents[0]["metrics"] == documents[1]["metrics"]


def test_rejected_records_are_listed_and_count_as_failures(tmp_path):
    write_xyz(tmp_path / "a.xyz", g.pack(g.WATER, g.METHANE, g.HCN))
    path = tmp_path / "a.xyz"
    path.write_text(path.read_text().replace("C 0 0 0", "Qq 0 0 0", 1))
    document = evaluate.evaluate_file(path, None, processes=1)
    assert document["rejected"] == [{"record": 2, "reason": "unknown element 'Qq'"}]
    assert document["provenance"]["records"] == 3
    for name in ("edm/molecule_stability", "edm/validity", "edm/valid_unique"):
        assert document["metrics"][name]["value"] == pytest.approx(2 / 3)
        assert document["metrics"][name]["n"] == 3
    assert document["metrics"]["edm/atom_stability"]["value"] == pytest.approx(2 / 3)


def test_the_reference_adds_novelty_and_the_data_row(tmp_path, tiny):
    write_npz(tmp_path / "a.npz", g.pack(g.WATER, g.FLUORINE))
    document = evaluate.evaluate_file(tmp_path / "a.npz", "qm9", processes=1)
    assert document["metrics"]["edm/novelty"]["value"] == 0.5
    reference = document["provenance"]["reference"]
    assert reference["label"] == "qm9, test split"
    assert reference["digest"] == tiny.digest
    known = edm.training_smiles(TRAINING, None, processes=1)
    row = edm.evaluate(TEST, known, processes=1)
    assert {name: Estimate(**e) for name, e in reference["metrics"].items()} == row
    assert row["edm/novelty"].value == pytest.approx(2 / 3)


def test_training_smiles_are_kept_in_the_cache(tmp_path, tiny, monkeypatch):
    first = evaluate.known_smiles(tiny, processes=1)
    monkeypatch.setattr(edm, "smiles", None)
    assert evaluate.known_smiles(tiny, processes=1) == first == {"[H]O[H]", "[H]C([H])([H])[H]"}


def test_the_table_shows_samples_data_row_and_rejected_records(tmp_path, tiny):
    path = tmp_path / "a.xyz"
    write_xyz(path, g.pack(g.WATER, g.METHANE, *[g.HCN] * 8))
    path.write_text(path.read_text().replace("N 1.1", "[bold]N 1.1"))
    text = shown(evaluate.evaluate_file(path, "qm9", processes=1))
    samples, reference = text.index("a.xyz"), text.index("qm9, test split")
    assert samples < reference
    assert "edm/validity 0.2000 0.0567 - 0.5098 10" in " ".join(text[:reference].split())
    assert "edm/validity 1.0000" in " ".join(text[reference:].split())
    assert "8 of 10 records rejected, the first 5:" in text
    assert "record 3: unknown element '[bold]N'" in text


def test_a_data_set_that_does_not_exist_is_named(tmp_path):
    write_npz(tmp_path / "a.npz", g.WATER)
    with pytest.raises(ConfigError, match="did you mean 'qm9'"):
        evaluate.evaluate_file(tmp_path / "a.npz", "qm8", processes=1)


def test_a_file_without_a_usable_molecule_is_an_error(tmp_path):
    (tmp_path / "a.xyz").write_text("1\n\nQq 0 0 0\n")
    with pytest.raises(DataError, match="holds no usable molecule"):
        evaluate.evaluate_file(tmp_path / "a.xyz", None, processes=1)
