"""Families of subsystems, and malformed tables that the tests write."""

import csv
import gzip
import io
import json

import pytest

from assay.errors import DataError
from assay.pathways.data.bigg import families_of, read_subsystems, telling_words
from assay.pathways.data.faults import Faults

LINE = {
    "model": "iML1515", "subsystem": "Glycolysis", "nodes": ["glc", "g6p", "f6p"],
    "edges": [[0, 1, 0, 0], [1, 2, 1, 1]], "reactions": ["HEX1", "PGI"],
}  # fmt: skip
METABOLITES = [
    {"id": f"{name}_c", "name": name, "formula": formula, "charge": "0", "smiles": "", "x": ""}
    for name, formula in (
        ("glc", "C6H12O6"), ("g6p", "C6H13O9P"), ("f6p", "C6H13O9P"), ("starch", "(C6H10O5)n"),
    )
]  # fmt: skip
REACTIONS = [
    {"id": "HEX1", "lb": "0", "ub": "1000", "stoich": '{"glc_c": -1, "g6p_c": 1}'},
    {"id": "PGI", "lb": "-1000", "ub": "1000", "stoich": '{"g6p_c": -1, "f6p_c": 1}'},
]


@pytest.fixture
def read(tmp_path):
    def table(name, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / name).write_bytes(gzip.compress(text.getvalue().encode()))

    def found(*lines, reactions=REACTIONS):
        for model in ("iML1515", "yeast-GEM_9.0.2"):
            table(f"{model}_metabolites.csv.gz", METABOLITES)
            table(f"{model}_reactions.csv.gz", reactions)
        text = "\n".join(map(json.dumps, lines))
        (tmp_path / "subsystem_graphs.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        return read_subsystems(tmp_path, Faults(refuse=False))

    return found


def test_the_two_models_name_compounds_apart_and_share_a_family(read):
    yeast = {**LINE, "model": "yeast-GEM_9.0.2", "subsystem": "Glycolysis / gluconeogenesis"}

    graphs, compounds = read(LINE, yeast)

    assert graphs.names_of(0) == ["bigg:glc", "bigg:g6p", "bigg:f6p"]
    assert graphs.names_of(1) == ["yeast-gem:glc", "yeast-gem:g6p", "yeast-gem:f6p"]
    assert graphs.families.tolist() == [0, 0]
    assert len(set(graphs.split.tolist())) == 1
    assert compounds.formulas[0].tolist() == [6, 12, 0, 6, 0, 0, 0]


def test_families_by_telling_words():
    names = ["Cysteine Metabolism", "Citric Acid Cycle", "Cysteine and methionine metabolism",
             "Methionine Metabolism", "Citrate cycle (TCA cycle)", "Other"]  # fmt: skip

    assert telling_words("Cysteine and methionine metabolism") == {"cysteine", "methionine"}
    assert families_of(names) == [
        "Cysteine Metabolism", "Citric Acid Cycle", "Cysteine Metabolism", "Cysteine Metabolism",
        "Citric Acid Cycle", "Other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "iAF1260"}, "there is no model 'iAF1260'"),
        ({"nodes": ["glc", "g6p", "x"]}, "compound 'x' is not in the table of metabolites"),
        ({"reactions": ["HEX1", "X"]}, "reaction 'X' is not in the table of reactions"),
        ({"edges": [[0, 1, 0, 0], [1, 2, 7, 1]]}, "an edge is malformed"),
        ({"edges": [[0, 1, 0, 0], [1, -1, 1, 1]]}, "edge 1->-1 names a node"),
    ],
)
def test_a_malformed_line_is_named(read, change, sentence):
    with pytest.raises(DataError, match=f"graphs.jsonl.gz, line 1: .*{sentence}"):
        read({**LINE, **change})


@pytest.mark.parametrize(
    ("stoichiometry", "sentence"),
    [
        ("{", "reaction HEX1: is malformed"),
        ('{"glc_c": -1, "x_c": 1}', "compound 'x_c' is not in the table of metabolites"),
        ('{"glc_c": -1}', "reaction HEX1 has no product"),
    ],
)
def test_a_malformed_reaction_is_named(read, stoichiometry, sentence):
    with pytest.raises(DataError, match=sentence):
        read(LINE, reactions=[{**REACTIONS[0], "stoich": stoichiometry}, REACTIONS[1]])
