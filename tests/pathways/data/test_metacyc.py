"""Malformed copies of MetaCyc's files, which the tests write."""

import csv
import gzip
import io
import json

import pytest

from assay.errors import DataError
from assay.pathways.data.faults import Faults
from assay.pathways.data.metacyc import (
    compound_table,
    parse_equation,
    read_labels,
    read_metacyc,
)

LINE = {
    "id": "PWY-1", "superpathway": False, "reactions": ["R1", "R2"], "nodes": ["A", "B", "C"],
    "edges": [[0, 1, 0, 1, 0, 0], [1, 2, 1, 0, 1, 0]], "o2_in": 1, "family": "PWY-1",
    "split": "valid",
}  # fmt: skip
COMPOUNDS = [
    {"id": name, "formula": formula, "charge": "-1.0", "smiles": "", "deltag_f_kcal_mol": ""}
    for name, formula in (("A", "C3H4O3"), ("B", "C3H4O4"), ("C", "C3H4O4"), ("OXYGEN", "O2"))
]
REACTIONS = [
    {"id": "R1", "ec": "EC-1.1.1.1", "equation": "(2) A[0] + OXYGEN[0] => (2) B[0]"},
    {"id": "R2", "ec": "", "equation": "B[0] <=> C[0]"},
]
TAXON = {
    "id": "PWY-1", "broadest_rank": "genus", "temp_n": "5", "temp_C_mean": "37", "ph_n": "",
    "ph_mean": "", "o2_n": "", "frac_aerobic": "", "frac_microaerophilic": "",
    "frac_facultative": "", "redox_n": "", "acceptor_E0_mV_mean": "",
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def table(name, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / name).write_bytes(gzip.compress(text.getvalue().encode()))

    def written(*lines, compounds=COMPOUNDS, reactions=REACTIONS, taxon=TAXON):
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
        (tmp_path / "pathway_graphs.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        table("compounds.csv.gz", compounds)
        table("reactions.csv.gz", reactions)
        table("pathway_environment_by_taxon.csv.gz", [taxon])
        return tmp_path

    return written


def test_a_sound_line_is_read(write):
    folder = write(LINE)
    graphs = read_metacyc(folder, Faults())

    assert graphs.names_of(0) == ["A", "B", "C"]
    assert graphs.main.tolist() == [True, False]
    assert graphs.reversible.tolist() == [False, True]
    assert graphs.reaction_classes.tolist() == [1, 0]
    assert graphs.split.tolist() == [1]
    assert graphs.consumes_oxygen.tolist() == [1]
    assert graphs.environment_known.tolist() == [[False, True, False, False]]
    assert graphs.environment[0, 1] == pytest.approx(310.15)
    assert compound_table(folder, graphs).charges.tolist() == [-1, -1, -1]


def test_compounds_and_pathways_have_names_beside_their_ids(write):
    named = [{**one, "name": f"&alpha;-{one['id']}"} for one in COMPOUNDS]
    line = {**LINE, "name": "<i>A</i> degradation I", "top_class": "Energy-Metabolism"}
    folder = write(line, compounds=named)
    graphs = read_metacyc(folder, Faults())

    labels = read_labels(folder, graphs)

    assert list(labels.compounds) == ["α-A", "α-B", "α-C"]
    assert list(labels.pathways) == ["A degradation I"]
    assert list(labels.classes) == ["Energy Metabolism"]
    with pytest.raises(DataError, match="has no str 'name'"):
        read_labels(write(LINE, compounds=named), graphs)


def test_what_is_left_out_is_counted_and_listed(write):
    small = {**LINE, "id": "PWY-2", "nodes": ["A", "B"], "edges": [[0, 1, 0, 1, 0, 0]]}
    unbalanced = [REACTIONS[0], {**REACTIONS[1], "equation": "A[0] <=> C[0]"}]
    faults = Faults(refuse=False)

    folder = write(LINE, {**LINE, "superpathway": True}, small, reactions=unbalanced)
    graphs = read_metacyc(folder, faults)

    assert len(graphs) == 1
    assert faults.counted() == (
        "1 superpathways, 1 pathways of fewer than 3 nodes, 1 reactions that do not balance"
    )
    assert "line 3: pathway PWY-2: is of fewer than 3 nodes; left out" in faults.sentences()[1]
    assert "reaction R2 does not balance (+1 O)" in faults.sentences()[2]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nodes": ["A", "B", "X"]}, "compound 'X' is not in compounds.csv.gz"),
        ({"nodes": ["A", "B", "WATER"]}, "currency metabolite WATER is a node"),
        ({"nodes": ["A", "B", "A"]}, "compound A is a node twice"),
        ({"reactions": ["R1", "R9"]}, "reaction 'R9' is not in reactions.csv.gz"),
        ({"edges": [[0, 1, 0, 1, 0], [1, 3, 1, 1, 0]]}, "edge 1->3 names a node"),
        ({"edges": [[0, 1, 0, 1, 0], [1, 2, 5, 1, 0]]}, "an edge is malformed"),
        ({"edges": [[0, 1, 0, 1, 0], [1, 2]]}, "an edge is malformed"),
        ({"edges": []}, "has no reaction"),
        ({"split": "valley"}, "there is no split 'valley'"),
    ],
)
def test_a_malformed_line_is_named(write, change, sentence):
    folder = write({**LINE, **change})

    with pytest.raises(DataError, match=f"graphs.jsonl.gz, line 1: pathway PWY-1: .*{sentence}"):
        read_metacyc(folder, Faults(refuse=False))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "is no JSON"),
        ("[1]", "has no str 'id'"),
        ('{"id": "PWY-2"}', "has no bool 'superpathway'"),
    ],
)
def test_broken_json_is_named_by_its_line(write, line, sentence):
    with pytest.raises(DataError, match=f"pathway_graphs.jsonl.gz, line 2: {sentence}"):
        read_metacyc(write(LINE, line), Faults())


def test_a_family_in_two_splits_is_refused(write):
    other = {**LINE, "id": "PWY-2", "split": "test"}

    with pytest.raises(DataError, match="family PWY-1 has graphs in validation and test"):
        read_metacyc(write(LINE, other), Faults())


@pytest.mark.parametrize(
    ("equation", "sentence"),
    [
        (" => B[0]", "reaction R1 has no substrate"),
        ("A[0] => ", "reaction R1 has no product"),
        ("A[0] + B[0]", "reaction R1: 'A.*' has no single arrow"),
        ("A[0] => two B[0]", "'two B.*' is no compound with an amount"),
        ("(n) A[0] => B[0]", "is no compound with an amount"),
    ],
)
def test_an_empty_or_broken_equation_is_named(write, equation, sentence):
    folder = write(LINE, reactions=[{**REACTIONS[0], "equation": equation}, REACTIONS[1]])

    with pytest.raises(DataError, match=rf"reactions.csv.gz: .*{sentence}"):
        read_metacyc(folder, Faults(refuse=False))


def test_an_equation_adds_up_what_it_names_twice():
    reaction = parse_equation("R", "A[0] + (0.5) A[1] <= B[0]", "here")

    assert reaction.substrates == {"A": 1.5}
    assert reaction.products == {"B": 1}


def test_an_environment_that_cannot_be_is_refused(write):
    folder = write(LINE, taxon={**TAXON, "temp_C_mean": "500"})

    with pytest.raises(DataError, match=r"PWY-1: temperature is 773.15 K, which is outside"):
        read_metacyc(folder, Faults(refuse=False))


def test_a_damaged_table_is_refused(write):
    folder = write(LINE)
    path = folder / "compounds.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"compounds.csv.gz: cannot be read as gzipped text"):
        read_metacyc(folder, Faults())
    path.write_bytes(gzip.compress(b"name\nA\n"))
    with pytest.raises(DataError, match=r"compounds.csv.gz: has no column 'id'"):
        read_metacyc(folder, Faults())
