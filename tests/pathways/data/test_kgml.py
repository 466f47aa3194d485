"""KGML files that the tests write; Assay brings none of KEGG's."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.batches import records_of
from assay.pathways.compounds import Compound
from assay.pathways.data.kgml import read_kgml
from tests.pathways import made

HEAD = '<?xml version="1.0"?>\n'
DOCTYPE = '<!DOCTYPE pathway SYSTEM "https://www.kegg.jp/kegg/xml/KGML_v0.7.2_.dtd">\n'
ENTRIES = """
<entry id="1" name="cpd:C00267" type="compound"/>
<entry id="2" name="cpd:C00668" type="compound"/>
<entry id="3" name="cpd:C05345" type="compound"/>
<entry id="4" name="cpd:C00002" type="compound"/>
<entry id="5" name="cpd:C00668" type="compound"/>
<entry id="6" name="ec:2.7.1.1 ec:2.7.1.2" type="enzyme" reaction="rn:R01786"/>
<entry id="7" name="ec:5.3.1.9" type="enzyme" reaction="rn:R02740"/>
"""
HEXOKINASE = """
<reaction id="6" name="rn:R01786" type="irreversible">
  <substrate id="1" name="cpd:C00267"/><substrate id="4" name="cpd:C00002"/>
  <product id="2" name="cpd:C00668"/>
</reaction>
"""
ISOMERASE = """
<reaction id="7" name="rn:R02740" type="reversible">
  <substrate id="5" name="cpd:C00668"/><product id="3" name="cpd:C05345"/>
</reaction>
"""


@pytest.fixture
def write(tmp_path):
    def written(body=ENTRIES + HEXOKINASE + ISOMERASE, head=HEAD + DOCTYPE, name="path:ko00010"):
        path = tmp_path / "map.xml"
        path.write_text(f'{head}<pathway name="{name}" org="ko" number="00010">{body}</pathway>')
        return path

    return written


def test_reactions_are_edges_between_compounds_by_their_ids(write):
    pathway = read_kgml(write())

    assert pathway.id == "path:ko00010"
    assert pathway.nodes == ["C00267", "C00668", "C05345"]  # ATP is removed, C00668 is one node
    assert pathway.edges == [(0, 1), (1, 2)]
    assert list(pathway.reversible) == [False, True]
    assert list(pathway.reactions) == ["rn:R01786", "rn:R02740"]
    assert list(pathway.reaction_classes) == [2, 5]


def test_a_model_scores_the_pathway_of_a_file(write):
    records = records_of([read_kgml(write())], {"C00668": Compound("C6H13O9P")}, "map.xml")

    batch = records.batch(np.array([0]))

    assert batch.adjacency_BNN[0].nonzero().tolist() == [[0, 1], [1, 2]]
    assert batch.reversible_BNN[0].nonzero().tolist() == [[1, 2]]
    assert batch.features_BNF[0].any(1).tolist() == [False, True, False]
    assert made.vae().edge_logits(batch)[batch.pairs_BNN].isfinite().all()


def test_a_reaction_that_is_drawn_twice_counts_once(write):
    body = ENTRIES + HEXOKINASE + ISOMERASE + HEXOKINASE

    assert read_kgml(write(body)) == read_kgml(write())


def test_currency_is_a_choice(write):
    pathway = read_kgml(write(), currency=())

    assert "C00002" in pathway.nodes


def test_a_map_that_is_too_large_is_cut_only_if_asked(write):
    body = "".join(f'<entry id="{k}" name="cpd:C9{k:04d}" type="compound"/>' for k in range(60))
    body += "".join(
        f'<reaction id="{k}" name="rn:R{k}" type="irreversible">'
        f'<substrate id="{k}" name="cpd:C9{k:04d}"/>'
        f'<product id="{k + 1}" name="cpd:C9{k + 1:04d}"/></reaction>'
        for k in range(59)
    )
    with pytest.raises(DataError, match=r"map.xml: has 60 nodes .* ask for a part"):
        read_kgml(write(body))
    assert len(read_kgml(write(body), most_nodes=50).nodes) == 50


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (ENTRIES, "has no reaction; take a metabolic map"),
        (ENTRIES + HEXOKINASE, "has 2 nodes"),
        (ENTRIES + ENTRIES, "entry 1 is given twice"),
        (
            ENTRIES + HEXOKINASE.replace("C00267", "C99999"),
            "reaction rn:R01786 names C99999 as a substrate, which no entry is",
        ),
        (
            ENTRIES + ISOMERASE.replace('<product id="3" name="cpd:C05345"/>', ""),
            "reaction rn:R02740 has no product",
        ),
        (
            ENTRIES + ISOMERASE.replace('<substrate id="5" name="cpd:C00668"/>', ""),
            "reaction rn:R02740 has no substrate",
        ),
        (ENTRIES + ISOMERASE.replace("reversible", "maybe"), "is 'maybe', neither"),
        (ENTRIES + "<reaction>", "is no well-formed KGML"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(write, body, sentence):
    with pytest.raises(DataError, match=f"map.xml: .*{sentence}") as raised:
        read_kgml(write(body))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ('<!DOCTYPE pathway [<!ENTITY a "x">]>', "the document type pathway with a DTD"),
        (
            '<!DOCTYPE pathway SYSTEM "http://x/y.dtd" [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
            "the document type pathway with a DTD",
        ),
        ("<!DOCTYPE html>", "the document type html"),
    ],
)
def test_entities_and_dtds_are_refused(write, head, sentence):
    with pytest.raises(DataError, match=f"map.xml: declares {sentence}.*; remove it"):
        read_kgml(write(head=HEAD + head))


@pytest.mark.parametrize("encoding", ["unheard-of", "utf-7", "utf-16"])
def test_an_encoding_that_is_not_read_is_refused(write, encoding):
    with pytest.raises(DataError, match=r"map.xml: is no well-formed KGML"):
        read_kgml(write(head=f'<?xml version="1.0" encoding="{encoding}"?>'))


def test_an_entity_that_nobody_declared_is_refused(write):
    with pytest.raises(DataError, match=r"map.xml: (is no well-formed KGML|declares)"):
        read_kgml(write(ENTRIES + "&outside;", head=HEAD))


def test_other_xml_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "map.xml"
    with pytest.raises(DataError, match=r"map.xml: cannot be read"):
        read_kgml(path)
    path.write_text("<sbml/>")
    with pytest.raises(DataError, match=r"map.xml: is XML of 'sbml', not of a named KGML pathway"):
        read_kgml(path)
