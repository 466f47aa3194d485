import pytest

from assay.captioning.reranking import most_consistent

BENZOIC_ACID, ETHANOL = "OC(=O)c1ccccc1", "CCO"
ACID, ALCOHOL = "It is a carboxylic acid.", "It is a primary alcohol."


def test_what_the_graph_has_is_kept():
    texts = ["It is a primary amine.", ACID, "It is a nitrile.", ALCOHOL]

    assert most_consistent(texts, [BENZOIC_ACID, ETHANOL]) == [ACID, ALCOHOL]


def test_a_claim_that_does_not_hold_weighs_against_one_that_does():
    both = "It is a carboxylic acid and a nitrile."

    assert most_consistent([both, ACID], [BENZOIC_ACID]) == [ACID]
    assert most_consistent(["It is a nitrile.", both], [BENZOIC_ACID]) == [both]


def test_what_is_rightly_denied_counts():
    denial = "It is a compound that lacks a nitrile."

    assert most_consistent(["It is a compound.", denial], [ETHANOL]) == [denial]


def test_of_equals_the_first_is_kept():
    assert most_consistent(["It is one.", "It is another."], [ETHANOL]) == ["It is one."]


@pytest.mark.parametrize("wrong", ["It is a nitrile.", "It is a nitrile and a primary amine."])
def test_an_empty_caption_is_kept_only_where_there_is_no_other(wrong):
    assert most_consistent(["", wrong], [ETHANOL]) == [wrong]
    assert most_consistent(["", ""], [ETHANOL]) == [""]


def test_without_candidates_there_is_nothing_to_choose():
    assert most_consistent(["It is a nitrile.", ""], [ETHANOL, ETHANOL]) == ["It is a nitrile.", ""]
