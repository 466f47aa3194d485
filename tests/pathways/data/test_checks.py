"""Graphs that are none, one sentence each."""

import pytest

from assay.errors import DataError
from assay.pathways.data.checks import (
    check_families,
    check_known,
    check_pathway,
    check_size,
)
from assay.pathways.data.faults import Faults
from assay.pathways.graphs import Pathway

SOUND = {"id": "p", "nodes": ["A", "B", "C"], "edges": [(0, 1), (1, 2)]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edges": []}, "has no reaction from one compound to another"),
        ({"edges": [(0, 1), (1, 3)]}, r"edge 1->3 names a node that is not in 0 … 2"),
        ({"edges": [(0, 1), (-1, 2)]}, r"edge -1->2 names a node that is not in"),
        ({"edges": [(0, 1), (1, 2), (2, 2)]}, "edge 2->2 leads from C to itself"),
        ({"edges": [(0, 1), (1, 2), (0, 1)]}, "edge 0->1 is given twice"),
        ({"nodes": ["A", "B", "A"]}, "compound A is a node twice"),
        ({"nodes": ["A", "B", "C", "D"]}, r"node 3 \(D\) has no edge"),
        ({"nodes": [None, None, None, None]}, "node 3 has no edge"),
        ({"main": [True]}, "main has 1 entries for 2 edges"),
        ({"reaction_classes": [1, 8]}, "there is no reaction class 8; give 0 to 7"),
        ({"environment": (16, None, None, None)}, "pH is 16, which is outside"),
    ],
)
def test_a_graph_that_is_none_is_refused(change, sentence):
    with pytest.raises(DataError, match=f"f.json: p: .*{sentence}") as raised:
        check_pathway(Pathway(**{**SOUND, **change}), "f.json: p")
    assert "\n" not in str(raised.value)


def test_a_sound_graph_passes():
    check_pathway(Pathway(**SOUND), "here")
    check_size(Pathway(**SOUND), "here")


def test_sizes():
    large = Pathway("p", [None] * 51, [(k, k + 1) for k in range(50)])

    with pytest.raises(DataError, match=r"f: has 2 nodes .* is of fewer than 3 nodes"):
        check_size(Pathway("p", ["A", "B"], [(0, 1)]), "f")
    with pytest.raises(DataError, match=r"f: has 51 nodes .* is of more than 50.*`most_nodes`"):
        check_size(large, "f")


def test_a_family_in_two_splits_is_refused():
    one = Pathway(**SOUND, family="glycolysis", split="train")
    other = Pathway(**SOUND, family="glycolysis", split="test")

    check_families([one, one], "f")
    with pytest.raises(DataError, match="f: family glycolysis has graphs in train and test"):
        check_families([one, other], "f")


def test_an_unknown_compound_is_refused():
    with pytest.raises(DataError, match=r"f: compound 'B' is not in compounds.csv"):
        check_known("compound", ["A", "B"], {"A"}, "f", "compounds.csv")


def test_faults_are_refused_or_counted_and_listed():
    with pytest.raises(DataError, match="first"):
        Faults().add("things", "first")

    faults = Faults(refuse=False)
    for kind in ("things", "others", "things"):
        faults.add(kind, f"a {kind}")
    assert faults.counted() == "2 things, 1 others"
    assert faults.sentences() == ["a things", "a others", "a things"]
