import io

from rich.console import Console

from assay.report.search import trials_table
from assay.search import StudyRecord


def shown(record: dict) -> str:
    text = io.StringIO()
    Console(file=text, width=120).print(trials_table(StudyRecord.model_validate(record)))
    return text.getvalue()


def test_a_study_is_a_table_of_settings_figures_and_what_became_of_them():
    over = {"mean": 0.5, "low": 0.4, "high": 0.6, "by_seed": {"0": 0.5}, "better": "lower"}
    one_seed = over | {"low": None, "high": None}
    values = {"training.learning_rate": 0.00123456, "settings.network.size": "xs"}
    trials = [
        {"number": 0, "state": "complete", "values": values, "objectives": {"val/loss": over}},
        {"number": 1, "state": "complete", "values": values, "objectives": {"val/loss": one_seed}},
        {"number": 2, "state": "stopped", "values": values, "reason": "asha at 10 %"},
        {"number": 3, "state": "failed", "values": {}, "spent": {"steps": 1234}},
    ]
    text = shown({"name": "lines", "variant": {"model": "a"}, "trials": trials, "best": [0]})

    lines = [line for line in text.splitlines() if "│" in line]
    assert "learning_rate" in text
    assert "val/loss" in text
    assert "0 *" in lines[0]
    assert "0.5 ± 0.1" in lines[0]
    assert "0.00123" in lines[0]
    assert "±" not in lines[1]
    assert "asha at 10 %" in lines[2]
    assert "failed" in lines[3]
    assert "1,234" in lines[3]


def test_figures_without_their_results_are_marked():
    over = {"mean": 0.5, "low": None, "high": None, "by_seed": {}, "better": "lower"}
    trial = {"number": 0, "state": "complete", "values": {}, "objectives": {"val/loss": over}}
    trials = [trial, {**trial, "number": 1, "reason": "figures as the database holds them"}]
    text = shown({"name": "lines", "variant": {"model": "a"}, "trials": trials, "best": [0]})
    assert text.count("complete, results gone") == 1
