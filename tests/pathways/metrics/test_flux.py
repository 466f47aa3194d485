from dataclasses import replace

import numpy as np
import pytest

from assay.cell import load_suite
from assay.errors import DataError
from assay.pathways.compounds import columns_of, formula_counts
from assay.pathways.currency import METACYC
from assay.pathways.data.metacyc import COMPOUNDS
from assay.pathways.data.tables import json_lines, rows
from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics import flux
from assay.pathways.metrics.atoms import HEAVY
from assay.pathways.metrics.networks import read_tables
from tests.pathways.metrics import tiny as t
from tests.pathways.metrics.toy_model import TOY
from tests.test_cell import ROOT

MAPPED = {name: f"{name}_c" for name in "abde"}


def inserted(nodes, *edges, reversible=None, carbons=None):
    one = Pathway(id="p", nodes=nodes, edges=edges, reversible=reversible)
    return flux.insertion(TOY, pack([one]), 0, MAPPED, carbons)


def test_growth_is_what_comes_in_and_dead_ends_are_blocked():
    assert flux.growth(TOY) == pytest.approx(10)
    assert flux.blocked(TOY) == ["D2C", "DRAIN"]


def test_an_edge_between_living_metabolites_carries_flux():
    assert inserted(["a", "e"], (0, 1)) == flux.Insertion(1, 1, 1, pytest.approx(10))


def test_a_direction_that_nothing_feeds_is_blocked_unless_it_is_reversible():
    assert inserted(["e", "a"], (0, 1)).carrying == 0
    assert inserted(["e", "a"], (0, 1), reversible=[True]).carrying == 1


def test_a_compound_outside_the_model_passes_flux_on_but_is_no_end():
    through = inserted(["a", "new", "e"], (0, 1), (1, 2))
    assert (through.carrying, through.edges, through.mapped) == (2, 2, 0)
    assert inserted(["a", "new"], (0, 1)).carrying == 0
    # Unnamed nodes are all different: a -> ? and ? -> e are two dead ends.
    assert inserted(["a", None, None, "e"], (0, 1), (2, 3)).carrying == 0


def test_no_edge_makes_or_loses_carbon():
    # e has six atoms, a and b three, x twelve.
    larger, _ = flux.insert(TOY, t.packed((["a", "e"], [(0, 1)])), 0, MAPPED)
    assert larger.S.toarray()[:, 5:].T.tolist() == [[-1, 0, 0, 0, 0.5]]

    chain = (["a", "x", "b"], [(0, 1), (1, 2)])
    larger, _ = flux.insert(TOY, t.packed(chain), 0, MAPPED, {"x": 12.0})
    assert larger.S.toarray()[:, 5:].T.tolist() == [[-1, 0, 0, 0, 0, 0.25], [0, 4, 0, 0, 0, -1]]


def test_an_edge_between_carbon_and_none_counts_but_cannot_run():
    for pair in ((0, 1), (1, 0)):
        found = inserted(["a", "x", "e"], pair, (1, 2), carbons={"x": 0.0})
        assert (found.carrying, found.edges) == (0, 2)


def test_an_edge_given_twice_counts_once_and_one_to_itself_not_at_all():
    assert inserted(["a", "e"], (0, 1), (0, 1)).edges == 1
    twins = pack([Pathway(id="p", nodes=["a", "a'"], edges=[(0, 1)])])
    assert flux.insertion(TOY, twins, 0, {"a": "a_c", "a'": "a_c"}).edges == 0


def test_an_edge_and_its_reverse_are_one_reversible_edge_that_does_not_run_in_a_circle():
    found = inserted(["x", "y"], (0, 1), (1, 0))

    assert (found.carrying, found.edges) == (0, 1)
    assert inserted(["e", "a"], (0, 1), (1, 0)).carrying == 1


@pytest.mark.parametrize("reversible", [None, [True] * 3])
def test_a_cycle_that_nothing_feeds_or_drains_does_not_run(reversible):
    ring = (0, 1), (1, 2), (2, 0)

    assert inserted(["x", "y", "z"], *ring, reversible=reversible).carrying == 0
    assert inserted(["d", "y", "z"], *ring, reversible=reversible).carrying == 0


def test_a_way_round_that_is_fed_and_drained_runs():
    # a -> x -> e and a -> y -> e make a ring without directions.
    found = inserted(["a", "x", "y", "e"], (0, 1), (1, 3), (0, 2), (2, 3))

    assert found.carrying == 4


def test_a_reversible_dead_end_does_not_run_there_and_back():
    assert inserted(["a", "x"], (0, 1), reversible=[True], carbons={"x": 6.0}).carrying == 0


def test_the_model_itself_is_left_as_it_was():
    inserted(["a", "e"], (0, 1))

    assert TOY.S.shape == (5, 5)
    assert flux.growth(TOY) == pytest.approx(10)


def test_estimates_are_over_all_graphs():
    # Five of e can enter; each has the carbon of two b, which are ten more to grow from.
    open_e = replace(TOY, lower=np.where(np.array(TOY.reactions) == "DRAIN", -5.0, TOY.lower))
    graphs = t.packed((["e", "b"], [(0, 1)]), (["a", "x"], [(0, 1)]))
    found = flux.evaluate(open_e, graphs, MAPPED)

    assert found["flux/carrying"].value == 1 / 2
    assert found["flux/coverage"].value == 1 / 2
    assert found["flux/growth_effect"].value == pytest.approx((20 / 10 - 1 + 0) / 2)
    assert found["flux/growth_effect"].n == 2
    assert found["flux/carrying"].version == "1: toy, 4 compounds mapped"


def test_a_model_that_does_not_grow_or_has_no_steady_state_is_refused():
    starved = replace(TOY, upper=np.where(np.arange(5) == 0, 0.0, TOY.upper))
    with pytest.raises(DataError, match="toy: does not grow"):
        flux.evaluate(starved, t.packed(t.CHAIN), MAPPED)
    forced = replace(TOY, lower=np.where(np.arange(5) == 4, 1.0, TOY.lower))
    with pytest.raises(DataError, match="toy: has no steady state"):
        flux.growth(forced)


def test_a_mapping_to_no_metabolite_is_refused():
    with pytest.raises(DataError, match="'a' → 'z_c': no metabolite of toy"):
        flux.insertion(TOY, t.packed(t.CHAIN), 0, {"a": "z_c"})


def test_names_propose_a_mapping():
    names = {"CPD-1": "a one", "CPD-2": "B", "CPD-3": "unknown"}

    assert flux.by_name(names, TOY) == {"CPD-1": "a_c", "CPD-2": "b_c"}
    assert flux.by_name(names, TOY, compartment="e") == {}


def committed() -> dict[str, str]:
    cells = load_suite(ROOT / "sweeps" / "pathways_flux.yaml").cells("0" * 16)
    (mapping,) = {tuple(cell.settings.flux.mapping.items()) for cell in cells}
    assert {cell.settings.flux.network for cell in cells} == {"e_coli_core"}
    return dict(mapping)


@pytest.mark.data
def test_the_committed_mapping_ties_compounds_to_metabolites_of_the_same_atoms(assay_data):
    """But for hydrogen, of which a formula has as many as its pH lets it."""
    models, metacyc = assay_data / "metabolic_models", assay_data / "metabolic_metacyc_modelseed"
    network, mapping = read_tables(models, "e_coli_core"), committed()
    theirs = {
        row["id"]: row["formula"]
        for row in rows(models / "e_coli_core_metabolites.csv.gz", ("id", "formula"))
    }
    ours = {row["id"]: row["formula"] for row in rows(metacyc / COMPOUNDS, ("id", "formula"))}

    def heavy(formula):
        columns = columns_of(formula_counts(formula, "here"))
        return [columns[k] for k in HEAVY]

    assert len(mapping) == 38
    assert set(mapping.values()) <= set(network.metabolites)
    assert {metabolite[-2:] for metabolite in mapping.values()} == {"_c"}
    assert not METACYC & mapping.keys()
    assert [c for c, m in mapping.items() if heavy(ours[c]) != heavy(theirs[m])] == []


@pytest.mark.data
def test_the_committed_mapping_covers_what_the_suite_says(assay_data):
    fields = {"nodes": list, "edges": list, "superpathway": bool, "split": str}
    path = assay_data / "metabolic_metacyc_modelseed" / "pathway_graphs.jsonl.gz"
    lines = [line for _, line in json_lines(path, fields) if not line["superpathway"]]
    mapping, covered = committed(), {}
    for split in ("train", "valid", "test"):
        ends = [
            (line["nodes"][s] in mapping, line["nodes"][t] in mapping)
            for line in lines
            if line["split"] == split and 3 <= len(line["nodes"]) <= 50
            for s, t in {(edge[0], edge[1]) for edge in line["edges"]}
        ]
        covered[split] = np.array([(s and t) for s, t in ends])

    assert np.concatenate(list(covered.values())).mean() == pytest.approx(0.0461, abs=5e-5)
    assert covered["test"].mean() == pytest.approx(0.0396, abs=5e-5)
