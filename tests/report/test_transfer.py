"""Arms are compared with scratch seed by seed."""

import io

import pytest
from rich.console import Console

from assay.cell import load_suite
from assay.errors import DataError
from assay.report import transfer, transfer_figure
from tests.report.synthetic import estimate
from tests.test_cell import ROOT

METRIC = "cdvae/validity"


class Finished:
    """What is read of a result."""

    def __init__(self, seed: int, value: float, n: int = 100, records: int | None = None) -> None:
        self.label = "gnn-diffusion"
        self.cell = {"seed": seed, "training": {"records": records}}
        of = estimate(value)
        self.estimates = {METRIC: of.model_copy(update={"n": n}), "cdvae/wasserstein_density": of}


def compared(**arms):
    found = {arm: [Finished(*each) for each in cells] for arm, cells in arms.items()}
    rows = transfer.compare("mp20", "qm9", found)
    return {row.arm: row for row in rows}, rows


def test_differences_are_paired_by_seed_with_students_interval():
    found, _ = compared(
        scratch=[(0, 0.50), (1, 0.60), (2, 0.70)], before=[(0, 0.52), (1, 0.64), (2, 0.76)]
    )

    before = found["before"]
    assert before.mean == pytest.approx(0.64)
    assert before.difference == pytest.approx(0.04)
    half = 4.302653 * 0.02 / 3**0.5  # t of two degrees of freedom; the differences' spread
    assert before.difference_low == pytest.approx(0.04 - half, abs=1e-6)
    assert before.difference_high == pytest.approx(0.04 + half, abs=1e-6)
    assert found["scratch"].difference == 0
    assert before.seeds == (0, 1, 2)


def test_only_seeds_that_both_have_are_paired_and_one_has_no_interval():
    found, rows = compared(scratch=[(0, 0.5), (1, 0.9)], along=[(1, 0.8), (2, 0.1)])

    assert found["along"].difference == pytest.approx(-0.1)
    assert found["along"].difference_low is None
    shown = io.StringIO()
    Console(file=shown, width=160).print(transfer.table(rows))
    assert "-10.0 (no interval)" in shown.getvalue()
    assert "both, every other step" in shown.getvalue()
    (first, *_) = transfer.document(rows)["rows"]
    assert first["metric"] == METRIC


def test_arms_of_several_versions_are_not_compared():
    old, new = Finished(0, 0.5), Finished(0, 0.6)
    new.estimates = {METRIC: new.estimates[METRIC].model_copy(update={"version": "2"})}
    with pytest.raises(DataError, match=f"{METRIC}: is of versions 1, 2, not comparable"):
        transfer.compare("mp20", "qm9", {"scratch": [old], "before": [new]})


def test_two_results_of_a_seed_are_refused():
    with pytest.raises(DataError, match="seed 0: an arm has two results"):
        compared(scratch=[(0, 0.5), (0, 0.9)])


def test_cells_of_another_source_or_budget_are_not_taken_for_an_arms(mini):
    suite = load_suite(ROOT / "sweeps" / "transfer_mini.yaml", ("data=mini", "seeds=[0]"))
    (asked,) = (cell.model_dump(mode="json") for cell in suite.cells("1" * 16))
    source = {"name": "mini", "digest": "2" * 16, "when": "along", "share": 0.5}
    mine, learnt, dearer = (Finished(0, 0.5) for _ in range(3))
    mine.cell = asked
    learnt.cell = {**asked, "settings": {**asked["settings"], "source": source}}
    dearer.cell = {**asked, "budget": {**asked["budget"], "flops": 2e12}}

    assert transfer.of_suite([learnt, mine, dearer], suite) == [mine]


def test_what_was_not_measured_is_left_out():
    found, _ = compared(scratch=[(0, 0.5)], half=[(0, 0.4, 0)], before=[(3, 0.4)])

    assert set(found) == {"scratch"}


def test_a_ladder_of_records_is_compared_rung_by_rung(tmp_path):
    few, many = 1000, None
    _, rows = compared(
        scratch=[(s, 0.2, 100, few) for s in (0, 1)] + [(s, 0.6, 100, many) for s in (0, 1)],
        before=[(s, 0.4, 100, few) for s in (0, 1)] + [(s, 0.5, 100, many) for s in (0, 1)],
    )

    gains = {row.records: row.difference for row in rows if row.arm == "before"}
    assert gains == {few: pytest.approx(0.2), many: pytest.approx(-0.1)}
    assert [row.records for row in rows] == [few, few, many, many]
    shown = io.StringIO()
    Console(file=shown, width=160).print(transfer.table(rows))
    assert "1,000" in shown.getvalue()
    assert "all" in shown.getvalue()
    transfer_figure.draw(rows, tmp_path / "gain.html")
    page = (tmp_path / "gain.html").read_text()
    assert "training records of mp20" in page
    assert "the other data for the first half" in page


def test_the_error_of_the_network_is_compared_too_and_said_to_be_better_when_low():
    held_out = Finished(0, 0.5)
    held_out.estimates = {"held_out/x_mse": estimate(0.14)}

    (row,) = transfer.compare("qm9", "mp20", {"scratch": [held_out]})

    assert row.mean == pytest.approx(0.14)
    assert transfer.title_of(row.metric) == "x-MSE ↓"


def test_every_arm_is_a_suite_of_its_own():
    path = ROOT / "sweeps" / "transfer_mini.yaml"
    plain = load_suite(path, ())
    suites = {
        arm: load_suite(path, transfer.overrides(plain, "mini", "mini_crystals", arm))
        for arm in transfer.ARMS
    }

    assert {suite.name for suite in suites.values()} == {
        f"transfer_mini_mini_{arm}" for arm in transfer.ARMS
    }
    assert all(suite.data == "mini" for suite in suites.values())
    assert suites["half"].budget.amount == plain.budget.amount / 2
    assert suites["before"].budget == suites["along"].budget == plain.budget
    assert suites["along"].settings["source"] == {"name": "mini_crystals", "when": "along"}
    assert "source" not in suites["half"].settings
