"""What `assay drill` offers, and how verdicts are shown and kept."""

import json

import pytest
from typer.testing import CliRunner

from assay import cli
from assay.cluster.drills import catalog, session, verdict
from assay.cluster.drills import suite as drill_suite
from assay.cluster.drills.verdict import Skipped, Verdict
from assay.errors import ConfigError

KEPT = Verdict(
    drill="kill-worker", fault="`kill -9` of a worker", injected=5, cells=9, lost=0, duplicated=0,
    recomputed=0, left_running=0, deviation=0.0, bit_equal=True, recovery_seconds=4.25,
    seconds=60.0,
)  # fmt: skip
BROKEN = KEPT.model_copy(
    update={"drill": "two-drivers", "lost": 2, "bit_equal": False, "deviation": 3e-4,
            "recovery_seconds": None, "broken": ("gnn-diffusion: its result is lost",)}
)  # fmt: skip


@pytest.mark.parametrize("name", catalog.DRILLS)
def test_every_drill_says_what_it_does_and_names_cells_of_the_suite(name):
    drill = catalog.find(name)
    labels = {cell.label for cell in drill_suite.suite(drill.rules).cells("0" * 32)}
    assert len(labels) == 9
    assert drill.fault
    assert {*drill.fails, *drill.tolerance} <= labels
    assert session.descriptions()[name].count("\n") >= 3


def test_the_list_names_all_twelve():
    shown = CliRunner().invoke(cli.app, ["drill"]).output
    assert len(catalog.DRILLS) == 12
    for name in catalog.DRILLS:
        assert name in shown


def test_a_misspelt_drill_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="did you mean 'kill-worker'"):
        session.carry_out_all(["kill-driver", "kil-worker"], None, print)


@pytest.mark.parametrize(("outcome", "code"), [(KEPT, 0), (BROKEN, 1), (None, 0)])
def test_the_exit_code_says_whether_every_promise_was_kept(outcome, code, monkeypatch, tmp_path):
    outcome = outcome or Skipped(drill="disk-full", reason="needs root or user namespaces")
    monkeypatch.setattr(session, "carry_out_all", lambda names, storage, say: [outcome])
    path = tmp_path / "drills.json"

    done = CliRunner().invoke(cli.app, ["drill", "all", "--json", str(path)])

    assert done.exit_code == code
    written = json.loads(path.read_text())
    assert [each["drill"] for each in written] == [
        each.drill for each in (outcome,) if isinstance(each, Verdict)
    ]
    for sentence in getattr(outcome, "broken", ()):
        assert sentence in done.output
    if isinstance(outcome, Skipped):
        assert outcome.reason in done.output


def test_the_table_in_markdown_has_a_row_for_each_verdict():
    lines = verdict.markdown([KEPT, BROKEN]).splitlines()
    assert lines[2] == "| `kill -9` of a worker | `kill-worker` | 5 | 0 | 0 | 0 | bit-equal | 4.2 |"
    assert lines[3].endswith("| 5 | 2 | 0 | 0 | 3.0e-04 | - |")
