"""The mini set of pathways, made by rules."""

from collections import Counter

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from assay.pathways.batches import splits
from assay.pathways.compounds import formula_counts
from assay.pathways.data.mini_pathways import (
    CURRENCY,
    MINI_PATHWAYS,
    RULES,
    enumerate_pathways,
    environment_of,
    smiles_of,
)
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.store import sets


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("ASSAY_DATA", raising=False)
        return sets.prepare("mini_pathways")


def atoms(formulas):
    total = Counter()
    for formula in formulas:
        total.update(formula_counts(formula, "here"))
    return total


def formula_of(smiles):
    return rdMolDescriptors.CalcMolFormula(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_balances_at_either_end(rule):
    for before, after in (
        (smiles_of(rule.before, "CSC", "acid"), smiles_of(rule.after, "CSC", "acid")),
        (smiles_of("amine", "CC", rule.before), smiles_of("amine", "CC", rule.after)),
    ):
        taken = [formula_of(before), *(CURRENCY[name] for name in rule.taken)]
        given = [formula_of(after), *(CURRENCY[name] for name in rule.given)]
        assert atoms(taken) == atoms(given)


def test_the_set_is_what_the_documentation_says(packed):
    graphs = graphs_of(packed)

    assert packed.counts == (249, 48, 42)
    assert packed.description.startswith(
        "enumerated pathways of 9 formal reactions: 219 consume O2; 339 graphs of 3 to 15 nodes in "
        "113 families"
    )
    assert (len(graphs), len(graphs.family_names)) == (339, 113)
    assert compounds_of(packed).known[:, [0, 1, 3]].all()
    assert not compounds_of(packed).known[:, 2].any()


def test_no_family_is_in_two_splits_and_no_graph_is_made_twice(packed):
    graphs = graphs_of(packed)
    pairs = set(zip(graphs.families.tolist(), graphs.split.tolist(), strict=True))
    named = {frozenset((p.nodes[a], p.nodes[b]) for a, b in p.edges) for p in enumerate_pathways()}

    assert len(pairs) == len(graphs.family_names)
    assert len(named) == len(graphs)


def test_the_environment_follows_from_oxygen(packed):
    graphs = graphs_of(packed)
    breathes = graphs.consumes_oxygen.astype(bool)

    for column, name in ((1, "temperature"), (2, "oxygen"), (3, "redox")):
        known = graphs.environment_known[:, column]
        for consumes in (True, False):
            (value,) = np.unique(graphs.environment[known & (breathes == consumes), column])
            expected = environment_of(consumes, makes_acid=False, hidden=[False] * 4)[column]
            assert value == pytest.approx(expected), name
    share = graphs.environment_known.mean()
    assert 0.75 < share < 0.85


def test_chains_branches_cycles_and_grids_are_there(packed):
    graphs = graphs_of(packed)
    shapes = Counter(name.partition(":")[0] for name in graphs.ids)

    assert set(shapes) == {"chain", "branch", "cycle", "grid"}
    cycle = next(k for k, name in enumerate(graphs.ids) if name.startswith("cycle"))
    assert graphs.adjacency(cycle).sum(axis=0).tolist() == [1, 1, 1]
    assert np.linalg.matrix_power(graphs.adjacency(cycle).astype(int), 3).trace() == 3


def test_the_rules_make_the_same_set_again(packed):
    again = MINI_PATHWAYS.build("rules", lambda phase, fraction: None)

    assert set(again.arrays) == set(packed.arrays)
    for name, array in again.arrays.items():
        assert np.array_equal(array, packed.arrays[name]), name


def test_the_splits_are_records(packed):
    parts = splits(packed)

    assert [len(one) for one in (parts.train, parts.validation, parts.test)] == [249, 48, 42]
    batch = parts.test.batch(np.arange(42))
    assert batch.record_ids.tolist() == np.flatnonzero(packed.arrays["split"] == 2).tolist()
