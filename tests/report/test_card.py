"""A model card says what the result says, and nothing that it does not."""

from pathlib import Path

import yaml

from assay.report.card import card
from tests.report.synthetic import cell, estimate, reference, result, write_suite
from tests.test_cli import invoke

VARIANT = {"architecture": "gnn", "process": "diffusion"}


def test_every_estimate_stands_beside_the_reference_with_n_and_version():
    made = result(cell(VARIANT), 0.8)

    text = card(made, reference(), None)

    for name, found in made.estimates.items():
        (line,) = [each for each in text.splitlines() if each.startswith(f"| `{name}`")]
        assert f"{100 * found.value:.1f} % [" in line
        assert "| 1,000 | 1 |" in line
        assert f"{100 * reference().estimates[name].value:.1f} %" in line


def test_the_front_matter_is_what_hubs_read():
    text = card(result(cell(VARIANT), 0.8), None, None)

    front = yaml.safe_load(text.split("---")[1])
    assert front == {
        "library_name": "assay-bench",
        "tags": ["generation", "gnn", "diffusion"],
        "datasets": ["mini"],
    }


def test_what_a_reader_should_know_is_said_only_where_it_is_so():
    plain = card(result(cell(VARIANT), 0.8), reference(), None)
    made = result(cell(VARIANT), 0.8, git_dirty=True, resumed=2, quarantined=1, chosen_step=900)
    nothing = estimate(0.0).model_copy(update={"n": 0})
    made = made.model_copy(update={"estimates": {"edm/uniqueness": nothing}})
    told = card(made, None, Path("runs/cells/abc"))

    for words in ("uncommitted", "from a checkpoint 2 times", "1 checkpoint did not verify",
                  "step 900, which validation chose", "held against nothing",
                  "Of no sample could be said: edm/uniqueness",
                  "runs/cells/abc/checkpoints"):  # fmt: skip
        assert words in told
        assert words not in plain
    assert "One seed" in plain


def test_data_and_provenance_are_those_of_the_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (made, *_) = write_suite(tmp_path / "results" / "grid_mini")
    key = made.provenance.cell_key

    text = invoke("card", key)
    invoke("card", key, "--out", "card.md")

    assert Path("card.md").read_text() == text
    for words in (key, "Apache-2.0", "0123456789abcdef" * 4, "d" * 40, "torch 2.12.0", "edm 1",
                  "120,000 parameters", "real data (mini, test split)"):  # fmt: skip
        assert words in text
