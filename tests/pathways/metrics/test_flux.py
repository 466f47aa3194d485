from dataclasses import replace

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics import flux
from tests.pathways.metrics import tiny as t
from tests.pathways.metrics.toy_model import TOY

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
