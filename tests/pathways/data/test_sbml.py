"""SBML models that the tests write, through cobra where it is installed."""

import gzip
import sys
from pathlib import Path

import pytest

from assay.errors import DataError, MachineError
from assay.pathways.batches import records_of
from assay.pathways.data.faults import Faults
from assay.pathways.data.sbml import read_sbml

FORMULAS = {
    "glc__D": "C6H12O6", "g6p": "C6H11O9P", "f6p": "C6H11O9P", "fdp": "C6H10O12P2",
    "atp": "C10H12N5O13P3", "adp": "C10H12N5O10P2", "h": "H",
}  # fmt: skip
REACTIONS = {
    "HEX1": ({"glc__D_c": -1, "atp_c": -1, "g6p_c": 1, "adp_c": 1, "h_c": 1}, (0, 1000)),
    "PGI": ({"g6p_c": -1, "f6p_c": 1}, (-1000, 1000)),
    "PFK": ({"f6p_c": 1, "adp_c": 1, "h_c": 1, "fdp_c": -1, "atp_c": -1}, (-1000, 0)),
    "GLCt": ({"glc__D_e": -1, "glc__D_c": 1}, (0, 1000)),
    "EX_glc__D_e": ({"glc__D_e": -1}, (-10, 1000)),
}
# Written backwards, it runs backwards: f6p + atp -> fdp + adp + h.
REACTIONS["PFK"][0].update({"f6p_c": 1, "atp_c": 1, "fdp_c": -1, "adp_c": -1, "h_c": -1})


@pytest.fixture
def write(tmp_path):
    cobra = pytest.importorskip("cobra")

    def written(reactions=REACTIONS, subsystem="Glycolysis"):
        model = cobra.Model("tiny")
        metabolites = {
            f"{name}_{place}": cobra.Metabolite(
                f"{name}_{place}", formula=formula, charge=0, compartment=place
            )
            for name, formula in FORMULAS.items()
            for place in ("c", "e")
        }
        for id, (amounts, bounds) in reactions.items():
            reaction = cobra.Reaction(id, lower_bound=bounds[0], upper_bound=bounds[1])
            reaction.add_metabolites({metabolites[k]: v for k, v in amounts.items()})
            reaction.annotation["ec-code"] = ["2.7.1.1", "2.7.1.2"]
            model.add_reactions([reaction])
        if subsystem:
            group = cobra.core.Group("g1", name=subsystem, kind="partonomy")
            group.add_members(list(model.reactions))
            model.add_groups([group])
        path = tmp_path / "model.xml"
        cobra.io.write_sbml_model(model, str(path))
        return path

    return written


def test_a_subsystem_is_a_graph_in_the_direction_it_runs(write):
    (pathway,), compounds = read_sbml(write(), Faults())

    assert pathway.id == "Glycolysis"
    assert pathway.nodes == ["glc__D", "g6p", "f6p", "fdp"]
    assert pathway.edges == [(0, 1), (1, 2), (2, 3)]
    assert list(pathway.reversible) == [False, True, False]
    assert set(pathway.reaction_classes) == {2}
    batch = records_of([pathway], compounds, "model.xml").batch([0])
    assert batch.features_BNF[0, 0, 0].exp() == pytest.approx(7)  # six carbons


def test_oxygen_that_has_no_name_here_is_not_known(write):
    (plain,), _ = read_sbml(write(), Faults())
    (other,), _ = read_sbml(write(), Faults(), currency={"atp", "adp", "h"})

    assert (plain.consumes_oxygen, other.consumes_oxygen) == (False, None)


def test_a_model_without_subsystems_is_one_graph(write):
    (pathway,), _ = read_sbml(write(subsystem=None), Faults())

    assert (pathway.id, len(pathway.nodes)) == ("tiny", 4)


def test_an_unbalanced_reaction_is_refused_or_left_out_and_listed(write):
    biomass = {"BIOMASS": ({"g6p_c": -1, "atp_c": -1, "adp_c": 1}, (0, 1000))}
    path = write({**REACTIONS, **biomass})

    with pytest.raises(DataError, match=r"model.xml: reaction BIOMASS does not balance \(-6 C"):
        read_sbml(path, Faults())
    faults = Faults(refuse=False)
    (pathway,), _ = read_sbml(path, faults)
    assert pathway.nodes == ["glc__D", "g6p", "f6p", "fdp"]
    assert faults.counted() == "1 reactions that do not balance or have one side"


def test_the_core_model_of_e_coli_is_read_whole(tmp_path):
    """cobra brings it."""
    cobra = pytest.importorskip("cobra")
    path = tmp_path / "e_coli_core.xml"
    packed = Path(cobra.__file__).parent / "data" / "textbook.xml.gz"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    faults = Faults(refuse=False)

    (pathway,), compounds = read_sbml(path, faults, most_nodes=50)

    # Of all reactions but exchanges, biomass alone does not balance.
    assert len(faults.found) == 1
    assert "Biomass_Ecoli_core does not balance" in faults.sentences()[0]
    assert {"pyr", "oaa", "glc__D"} <= set(pathway.nodes)
    assert not {"atp", "h2o", "nadh"} & set(pathway.nodes)
    assert compounds["pyr"].formula == "C3H3O3"
    assert pathway.consumes_oxygen


def test_a_model_that_is_too_small_is_refused(write):
    with pytest.raises(DataError, match=r"model.xml: Glycolysis: has 2 nodes"):
        read_sbml(write({"PGI": REACTIONS["PGI"]}), Faults())
    with pytest.raises(DataError, match=r"no subsystem makes a graph \(1 subsystems of fewer"):
        read_sbml(write({"PGI": REACTIONS["PGI"]}), Faults(refuse=False))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<sbml", "is no well-formed SBML"),
        ("<pathway/>", "is XML, but no SBML"),
        ('<!DOCTYPE sbml [<!ENTITY a "x">]><sbml/>', "declares the document type sbml"),
        ('<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core"/>', "is no SBML that cobra"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, sentence):
    pytest.importorskip("cobra")
    path = tmp_path / "model.xml"
    path.write_text(text)

    with pytest.raises(DataError, match=f"model.xml: {sentence}"):
        read_sbml(path, Faults())


def test_without_cobra_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cobra", None)
    monkeypatch.setitem(sys.modules, "cobra.io", None)

    with pytest.raises(MachineError, match=r"model.xml: .* needs cobra, .* `pip install cobra`"):
        read_sbml(tmp_path / "model.xml", Faults())
