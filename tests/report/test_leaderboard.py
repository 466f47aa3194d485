import subprocess
import sys

import pytest
from rich.console import Console

from assay.report import leaderboard, terminal_table
from assay.report.charts import fronts
from assay.report.leaderboard import best_and_rivals, headline
from assay.report.wording import duration_text, si_text, value_text
from assay.task import Estimate
from tests.report.synthetic import NINE, cell, estimate, reference, result

VARIANT = {"architecture": "gnn", "process": "diffusion"}


def with_validity(seed: int, value: float, version: str = "1", variant=VARIANT):
    made = result(cell(variant, seed), 0.5)
    return made.model_copy(update={"estimates": {"edm/validity": estimate(value, 1000, version)}})


def text_of(table, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def test_the_best_cell_comes_first_and_the_data_last():
    nine = [
        result(cell(dict(zip(VARIANT, label.split("-"), strict=True))), 0.3 + 0.05 * k)
        for k, label in enumerate(NINE)
    ]
    rows = leaderboard(nine, reference())
    assert [row.label for row in rows] == [*reversed(NINE), "mini, test split"]
    assert [row.kind for row in rows] == ["cell"] * 9 + ["reference"]


def test_a_mean_over_seeds_has_students_interval():
    # Mean 0.5, standard deviation 0.1, t(2 degrees, 97.5 %) = 4.302653.
    rows = leaderboard([with_validity(s, v) for s, v in enumerate((0.4, 0.5, 0.6))], None)
    found = rows[0].estimates["edm/validity"]
    half = 4.302653 * 0.1 / 3**0.5
    assert [row.kind for row in rows] == ["mean", "cell", "cell", "cell"]
    assert found.n == 3
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_the_interval_of_a_fraction_stays_a_fraction():
    rows = leaderboard([with_validity(0, 0.5), with_validity(1, 0.9)], None)
    found = rows[0].estimates["edm/validity"]
    assert (found.low, found.high) == (0.0, 1.0)


def test_seeds_of_one_value_are_as_sure_as_their_own_intervals():
    rows = leaderboard([with_validity(0, 0.0), with_validity(1, 0.0)], None)
    mean, cell_row = (row.estimates["edm/validity"] for row in rows[:2])
    assert (mean.value, mean.n) == (0.0, 2)
    assert (mean.low, mean.high) == (cell_row.low, cell_row.high)


def test_no_figure_of_another_version_is_in_a_front():
    values = {"flow_matching": (0.6, "1"), "diffusion": (0.9, "2"), "a": (0.5, "1")}
    rows = leaderboard(
        [with_validity(0, *v, variant={**VARIANT, "process": p}) for p, v in values.items()], None
    )
    for places in fronts(rows, "edm/validity").values():
        assert [rows[place].label for place in places] == ["gnn-flow_matching"]


def test_estimates_of_two_protocol_versions_are_never_averaged():
    rows = leaderboard([with_validity(0, 0.5, "1"), with_validity(1, 0.9, "2")], None)
    assert rows[0].kind == "mean"
    assert "edm/validity" not in rows[0].estimates


def test_cells_that_differ_in_more_than_the_seed_are_not_averaged():
    longer = result(cell(VARIANT, seed=1, samples=200_000), 0.5)
    rows = leaderboard([result(cell(VARIANT, seed=0), 0.5), longer], None)
    assert [row.kind for row in rows] == ["cell", "cell"]


def test_rivals_are_those_whose_intervals_overlap_the_best():
    values = {"flow_matching": 0.80, "diffusion": 0.78, "stochastic_interpolant": 0.60}
    results = [with_validity(0, v, variant={**VARIANT, "process": p}) for p, v in values.items()]
    best, rivals = best_and_rivals(leaderboard(results, None), "edm/validity")
    assert best is not None
    assert best.label == "gnn-flow_matching"
    assert [row.label for row in rivals] == ["gnn-diffusion"]


def test_what_is_of_another_version_is_not_ranked():
    values = {
        "flow_matching": (0.5, "2"),
        "diffusion": (0.9, "1"),
        "stochastic_interpolant": (0.6, "2"),
    }
    results = [
        with_validity(0, value, version, {**VARIANT, "process": process})
        for process, (value, version) in values.items()
    ]

    rows = leaderboard(results, None)
    best, rivals = best_and_rivals(rows, "edm/validity")

    labels = ["gnn-stochastic_interpolant", "gnn-flow_matching", "gnn-diffusion"]
    assert [row.label for row in rows] == labels
    assert best is not None
    assert (best.label, rivals) == (labels[0], [])


def test_where_all_are_equal_none_is_the_best_and_another_metric_orders():
    results = []
    for atoms, process in ((0.3, "diffusion"), (0.6, "flow_matching")):
        measured = {"edm/atom_stability": estimate(atoms), "edm/molecule_stability": estimate(0.0)}
        made = result(cell({**VARIANT, "process": process}), 0.5)
        results.append(made.model_copy(update={"estimates": measured}))
    rows = leaderboard(results, None)
    assert best_and_rivals(rows, "edm/molecule_stability") == (None, [])
    assert headline(rows) == "edm/atom_stability"
    assert [row.label for row in rows] == ["gnn-flow_matching", "gnn-diffusion"]


def test_a_fraction_of_nothing_is_not_shown():
    nothing = Estimate(value=0.0, low=0.0, high=1.0, n=0, version="1", better="higher")
    made = result(cell(VARIANT), 0.5)
    made = made.model_copy(update={"estimates": {**made.estimates, "edm/novelty": nothing}})
    (row,) = leaderboard([made], None)
    assert "edm/novelty" not in row.estimates
    assert "edm/validity" in row.estimates


def test_lower_is_better_where_the_metric_says_so():
    def with_distance(process: str, value: float):
        lower = Estimate(value=value, low=value, high=value, n=9, version="1", better="lower")
        of = cell({**VARIANT, "process": process})
        return result(of, 0.5).model_copy(update={"estimates": {"fcd/fcd": lower}})

    rows = leaderboard(
        [with_distance("diffusion", 3.5), with_distance("flow_matching", 1.25)], None
    )
    assert [row.label for row in rows] == ["gnn-flow_matching", "gnn-diffusion"]
    assert "1.25" in text_of(terminal_table([with_distance("diffusion", 1.25)], None))


def test_the_terminal_table_fits_80_columns_and_ends_with_the_data():
    nine = [result(cell(dict(zip(VARIANT, label.split("-"), strict=True))), 0.5) for label in NINE]
    text = text_of(terminal_table(nine, reference()))
    assert "…" not in text
    # Validity is 0.5 × 0.82 = 0.41; 1.96 √(0.41 × 0.59 / 1000) = 0.0305.
    assert text.count("[38.0,") == text.count("44.0]") == 9
    for word in ("gnn", "transformer", "pairformer", "flow_matching", "stochastic_", "98.5 %"):
        assert word in text
    assert text.rindex("98.5 %") > text.rindex("pairformer")
    assert "One seed: intervals cover evaluation, not training." in " ".join(text.split())


def test_the_terminal_table_names_what_it_has_no_room_for():
    made = with_validity(0, 0.5)
    more = {"symmetry/positions_error": estimate(0.1), "conditions/logp_mae": estimate(0.7)}
    made = made.model_copy(update={"estimates": {**made.estimates, **more}})

    text = " ".join(text_of(terminal_table([made], None)).split())

    assert "Also measured, and in the report: symmetry, conditions." in text
    assert "logp" not in text


def test_the_terminal_table_shows_seeds_and_their_mean():
    text = text_of(terminal_table([with_validity(s, 0.5) for s in range(3)], reference()))
    assert "mean of 3" in text
    assert "seed 2" in text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (si_text(34.23e12, "FLOP"), "34.2 TFLOP"),
        (si_text(999_960), "1.00 M"),
        (si_text(512), "512"),
        (si_text(0), "0.00"),
        (duration_text(123.4), "2 min 03 s"),
        (duration_text(59.97), "1 min 00 s"),
        (duration_text(7384), "2 h 03 min"),
        (value_text("edm/validity", 0.8214), "82.1 %"),
        (value_text("fcd/fcd", 12.3456), "12.35"),
    ],
)
def test_numbers_are_written_with_three_digits_and_a_unit(written, expected):
    assert written == expected


def test_importing_the_report_needs_neither_torch_nor_rdkit():
    script = (
        "import sys, assay.report; "
        "print({'torch', 'rdkit', 'ray', 'mlflow', 'plotly'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_mean_cost_passes_over_what_a_seed_does_not_say():
    old, new = (with_validity(seed, 0.5) for seed in (0, 1))
    known = new.model_copy(update={"cost": new.cost.model_copy(update={"records": 64})})

    assert leaderboard([old, known], None)[0].cost.records is None
    assert leaderboard([known, known], None)[0].cost.records == 64
