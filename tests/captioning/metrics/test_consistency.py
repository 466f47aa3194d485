import numpy as np
import pytest

from assay.captioning.metrics.claims import claims
from assay.captioning.metrics.consistency import Groups, shuffled
from assay.captioning.metrics.resampling import Resamples
from assay.statistics.intervals import wilson
from tests.captioning.metrics import lines

PHENOL, NITRILE, ACID = "Oc1ccccc1", "CC#N", "CC(=O)O"
TRUE = [
    lines.line("It is a phenol.", "It is a phenol and a member of benzenes.", smiles=PHENOL),
    lines.line("It is a nitrile.", "It is a nitrile.", smiles=NITRILE),
    lines.line("It is a carboxylic acid.", "It is a carboxylic acid.", smiles=ACID),
]


def found(tmp_path, *rows):
    pairs = lines.of(tmp_path, *rows)
    return Groups().evaluate(pairs, Resamples(len(pairs)))


def values(tmp_path, *rows):
    return {name: each.value for name, each in found(tmp_path, *rows).estimates.items()}


def test_true_captions_are_precise_and_recall_what_they_say(tmp_path):
    scores = values(tmp_path, *TRUE)

    assert scores["groups/precision"] == 1.0
    assert scores["groups/precision_ceiling"] == 1.0
    assert scores["groups/recall"] == 3 / 4
    assert scores["groups/mentions"] == 1.0


def test_shuffled_references_are_the_floor(tmp_path):
    """No reference here fits another molecule: chance is 0, and nothing changes by the scale."""
    scores = values(tmp_path, *TRUE)

    assert scores["groups/precision_chance"] == 0.0
    assert scores["groups/precision_normalised"] == scores["groups/precision"]


def test_the_normalised_figure_by_hand(tmp_path):
    """Own 1/2. Ceiling 3/4: acetic acid is no ether. Chance 0."""
    rows = [
        lines.line("It is a phenol and a nitrile.", "It is a phenol.", smiles=PHENOL),
        lines.line("", "It is a nitrile.", smiles=NITRILE),
        lines.line("", "It is a carboxylic acid and an epoxide.", smiles=ACID),
    ]

    scores = values(tmp_path, *rows)

    assert scores["groups/precision"] == 1 / 2
    assert scores["groups/precision_ceiling"] == 3 / 4
    assert scores["groups/precision_normalised"] == pytest.approx((1 / 2) / (3 / 4))


def test_a_denial_that_is_right_counts_as_a_claim_that_holds(tmp_path):
    rows = [lines.line("It lacks a nitrile and has no phenol.", smiles=PHENOL), TRUE[1]]

    scores = found(tmp_path, *rows).estimates

    assert scores["groups/precision"].value == 2 / 3
    assert scores["groups/precision"].n == 3


def test_text_that_says_nothing_has_no_precision(tmp_path):
    rows = [{**row, "prediction": text} for row, text in zip(TRUE, ["", "x", "y"], strict=True)]

    result = found(tmp_path, *rows)

    assert "groups/precision" not in result.estimates
    assert "groups/precision_normalised" not in result.estimates
    assert "no such statement" in result.undefined["groups/precision"]
    assert result.estimates["groups/mentions"].value == 0.0
    assert result.estimates["groups/recall"].value == 0.0


def test_statements_of_structure_count_themselves(tmp_path):
    rows = [
        lines.line("It is a bicyclic anion. It is (2R)-x.", smiles=PHENOL),
        lines.line("It is aromatic.", smiles="Cc1ccccc1"),
    ]

    scores = found(tmp_path, *rows).estimates

    assert (scores["groups/ring_precision"].value, scores["groups/ring_precision"].n) == (0.5, 2)
    assert (scores["groups/charge_precision"].value, scores["groups/charge_precision"].n) == (0, 1)
    assert scores["groups/chirality_precision"].n == 1


def test_where_all_claims_hold_the_interval_still_has_a_width(tmp_path):
    precision = found(tmp_path, *TRUE).estimates["groups/precision"]

    assert (precision.low, precision.high) == pytest.approx(wilson(3, 3))


def test_an_unreadable_smiles_leaves_its_pair_out(tmp_path):
    with_it = found(tmp_path, *TRUE, lines.line("It is an ether.", smiles="C1(("))

    assert with_it.estimates == found(tmp_path, *TRUE).estimates


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([lines.line()], "needs smiles in every line"),
        ([lines.line(smiles="C1((")], "no smiles can be parsed"),
    ],
)
def test_without_a_graph_there_is_nothing_to_say(tmp_path, rows, why):
    assert found(tmp_path, *rows).undefined == {"groups": why}


def test_of_one_pair_there_is_no_chance(tmp_path):
    result = found(tmp_path, TRUE[0])

    assert result.estimates["groups/precision"].value == 1.0
    assert {"groups/precision_chance", "groups/precision_normalised"} <= set(result.undefined)


def test_the_order_of_pairs_changes_nothing(tmp_path):
    assert found(tmp_path, *TRUE) == found(tmp_path, *TRUE[::-1])


def test_a_shuffle_leaves_no_caption_in_its_place_and_loses_none():
    captions = [claims(f"It is {'an ether' if k % 2 else 'a phenol'}.") for k in range(9)]

    moved = shuffled(captions)

    assert all(new is not old for new, old in zip(moved, captions, strict=True))
    assert sorted(map(id, moved)) == sorted(map(id, captions))
    assert np.array_equal([id(each) for each in moved], [id(each) for each in shuffled(captions)])
