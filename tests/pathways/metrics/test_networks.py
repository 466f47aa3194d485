import gzip
import sys

import numpy as np
import pytest

from assay.errors import ConfigError, DataError, MachineError
from assay.pathways.metrics import networks
from tests.pathways.metrics.toy_model import TOY, write_toy


def test_tables_become_a_stoichiometric_matrix(tmp_path):
    write_toy(tmp_path)
    found = networks.read_tables(tmp_path, "e_coli_core")

    assert found.metabolites == TOY.metabolites
    assert found.reactions == TOY.reactions
    assert np.array_equal(found.S.toarray(), TOY.S.toarray())
    assert found.carbons.tolist() == [3, 3, 3, 3, 6]
    assert found.upper.tolist() == TOY.upper.tolist()
    assert found.reactions[found.objective] == networks.BIOMASS["e_coli_core"]


def test_a_model_is_found_below_the_data_root(tmp_path, monkeypatch):
    (tmp_path / networks.FOLDER).mkdir()
    write_toy(tmp_path / networks.FOLDER)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))

    assert networks.open_network("e_coli_core").reactions == TOY.reactions
    with pytest.raises(MachineError, match="iML1515_reactions"):
        networks.open_network("iML1515")


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'iJO1366'"):
        networks.open_network("iJO1365")
    with pytest.raises(ConfigError, match="known growth reaction"):
        networks.read_tables(networks.Path(), "iJO1366")


def test_without_cobra_it_says_why_and_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "cobra.io", None)

    with pytest.raises(MachineError, match="cobra is not installed; it asks for pandas below 3"):
        networks.from_cobra("iJO1366")


@pytest.mark.parametrize(
    ("table", "row", "sentence"),
    [
        ("reactions", ["id,lb", "R,0"], "has no column 'ub'"),
        (
            "reactions",
            ["id,lb,ub,stoich", "R,0,x,{}"],
            "line 2: reaction R: lb, ub or stoich cannot be read .could not convert",
        ),
        ("reactions", ["id,lb,ub,stoich", "R,0,1,[]"], "line 2: reaction R"),
        (
            "reactions",
            ["id,lb,ub,stoich", 'R,0,1,"{""nope"": 1}"'],
            "line 2: reaction R: 'nope' is no metabolite of the model",
        ),
        ("reactions", ["id,lb,ub,stoich", "R,0,1,{}"], "has no reaction BIOMASS_Ecoli"),
        ("metabolites", ["id,name,formula"], "has no column 'id', or no row"),
    ],
)
def test_a_damaged_table_is_one_sentence(tmp_path, table, row, sentence):
    write_toy(tmp_path)
    path = tmp_path / f"e_coli_core_{table}.csv.gz"
    path.write_bytes(gzip.compress("\n".join(row).encode()))

    with pytest.raises(DataError, match=sentence) as error:
        networks.read_tables(tmp_path, "e_coli_core")
    assert path.name in str(error.value)


def test_every_model_can_be_had_somewhere():
    assert networks.BIOMASS.keys() | networks.SHIPPED.keys() == {
        "e_coli_core", "iJO1366", "iML1515"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "carbons"),
    [("C6H11O9P", 6), ("CO2", 1), ("H2O", 0), ("C62H90CoN13", 62), ("CoCl2", 0), ("CaC2", 2)],
)
def test_carbon_is_told_from_cobalt_and_chlorine(formula, carbons):
    assert networks.carbons_of(formula) == carbons


def test_no_formula_is_not_no_carbon():
    assert np.isnan(networks.carbons_of(""))
