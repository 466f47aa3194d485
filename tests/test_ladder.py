import pytest

from assay.cell import Suite
from assay.config import validate
from assay.errors import ConfigError
from assay.ladder import Ladder

DIGEST = "ab" * 16
SIZES = [
    {"settings.network.width": 16, "training.learning_rate": 6e-3},
    {"settings.network.width": 32, "training.learning_rate": 4e-3},
]


def suite(ladder, **changes) -> Suite:
    data = {
        "name": "laws",
        "title": "A ladder",
        "family": "generation",
        "data": "mini",
        "grid": {"architecture": ["gnn"], "process": ["flow_matching", "diffusion"]},
        "seeds": [0, 1],
        "budget": {"samples": 1000},
        "settings": {"network": {"size": "xs"}},
        "ladder": ladder,
        **changes,
    }
    return validate(Suite, data, "laws.yaml")


def test_every_size_meets_every_number_of_records_and_every_budget():
    named = suite({"sizes": SIZES, "records": [256, None], "budgets": [1, 0.25]}).named_cells(
        DIGEST
    )

    assert len(named) == len({cell.key for cell in named.values()}) == 2 * 2 * 2 * 2 * 2
    assert next(iter(named)) == "gnn-flow_matching width=16, 256 records, 0.25 of the budget s0"
    cell = named["gnn-diffusion width=32, all records, 1 of the budget s1"]
    assert cell.settings.network.width == 32
    assert cell.training.learning_rate == 4e-3
    assert cell.training.records is None
    assert cell.budget.samples == 1000
    amounts = [cell.budget.samples for cell in named.values()]
    assert amounts == sorted(amounts)


def test_without_a_ladder_cells_and_names_are_as_ever():
    plain = suite(None)

    assert list(plain.named_cells(DIGEST)) == [
        "gnn-flow_matching s0", "gnn-flow_matching s1", "gnn-diffusion s0", "gnn-diffusion s1",
    ]  # fmt: skip
    assert plain.cells(DIGEST) == tuple(plain.named_cells(DIGEST).values())


def test_a_ladder_of_one_rung_is_the_plain_suite():
    assert suite({}).cells(DIGEST) == suite(None).cells(DIGEST)


@pytest.mark.parametrize(
    ("ladder", "sentence"),
    [
        ({"sizes": []}, "sizes is empty"),
        ({"budgets": [0.5, 0.5]}, "budgets holds a value twice"),
        ({"budgets": [1.5]}, "less than or equal to 1"),
        ({"records": [0]}, "greater than 0"),
        ({"sizes": [{"data": "qm9"}]}, "'data' is not below training or settings"),
        ({"sizes": [{"training.records": 5}]}, "numbers of them go to records"),
        ({"size": ["xs"]}, "size"),
    ],
)
def test_a_wrong_ladder_is_one_sentence(ladder, sentence):
    with pytest.raises(ConfigError, match=sentence):
        suite(ladder)


def test_a_size_that_no_network_has_is_named_with_its_cell():
    with pytest.raises(ConfigError, match="gnn-flow_matching"):
        suite({"sizes": [{"settings.network.girth": 3}]}).cells(DIGEST)


def test_search_and_ladder_exclude_each_other():
    search = {
        "objectives": [{"metric": "val/loss", "better": "lower"}],
        "space": {"training.learning_rate": {"float": [1e-3, 1e-2], "log": True}},
        "trials": 2,
    }
    with pytest.raises(ConfigError, match="a suite has one of them"):
        suite({}, search=search)


def test_sizes_of_equal_words_are_refused():
    sizes = [{"settings.network.size": 8}, {"settings.network.size": "8"}]
    with pytest.raises(ValueError, match="two sizes have the same words"):
        Ladder(sizes=sizes)


def test_sizes_that_differ_in_their_rate_alone_are_called_by_it():
    rates = [{"settings.network.width": 8, "training.learning_rate": r} for r in (0.1, 0.2)]

    assert [rung.words for rung in Ladder(sizes=rates).rungs()] == [
        "width=8, learning_rate=0.1", "width=8, learning_rate=0.2",
    ]  # fmt: skip
