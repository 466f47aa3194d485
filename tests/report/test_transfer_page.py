import json

import pytest

from assay import report
from assay.errors import DataError
from assay.report import transfer
from assay.report.studies import is_study, study_context
from assay.result import write_json
from tests.report.accessibility import findings
from tests.report.markup import parse
from tests.report.test_transfer import Finished


@pytest.fixture
def folder(tmp_path):
    """Two seeds of two arms at two numbers of records."""
    arms = {
        arm: [
            Finished(seed, value + 0.1 * seed, records=records)
            for seed in (0, 1)
            for records, value in ((300, low), (None, high))
        ]
        for arm, low, high in (("scratch", 0.2, 0.6), ("before", 0.5, 0.7))
    }
    rows = transfer.compare("mp20", "qm9", arms)
    write_json(tmp_path / "study" / "transfer.json", transfer.document(rows))
    return tmp_path / "study"


def test_what_was_written_is_read_again(folder):
    rows = transfer.read(folder / "transfer.json")

    assert transfer.document(rows) == json.loads((folder / "transfer.json").read_text())
    assert [(row.arm, row.records) for row in rows] == [
        ("scratch", 300), ("before", 300), ("scratch", None), ("before", None),
    ]  # fmt: skip


def test_gain_curves_have_a_line_an_arm_in_per_cent(folder):
    (panel,) = study_context("t1", folder)["charts"]["gains"]

    assert panel["title"] == "mp20, from qm9: Validity"
    assert panel["records"] == "training records of mp20"
    scratch, before = panel["lines"]
    assert scratch["name"] == "gnn-diffusion: its own data only"
    assert [(x, round(y, 6)) for x, y, *_ in before["points"]] == [("300", 55.0), ("all", 75.0)]
    row = transfer.read(folder / "transfer.json")[1]
    assert before["points"][0][2:] == [100 * row.low, 100 * row.high]


def test_a_study_beside_a_suite_has_its_place_on_the_familys_page(folder, one_seed, tmp_path):
    assert is_study(folder)
    assert not is_study(one_seed)
    document = parse(report.build([one_seed, folder], tmp_path / "report.html").read_text())

    article = document.one("div", id="family-generation").one("article", id="t1")
    assert article.one("figure").attributes["data-chart"] == "gains"
    (table,) = article.all("table")
    assert table.one("caption").text == "mp20, from qm9"
    assert table.one("tbody").all("tr")[1].text.startswith("gnn-diffusion 300 Validity the other")
    assert findings(document) == []


def test_a_file_that_is_none_is_named(folder):
    (folder / "transfer.json").write_text('{"rows": [{"arm": "before"}]}')

    with pytest.raises(DataError, match=r"transfer\.json: is no comparison of arms"):
        transfer.read(folder / "transfer.json")
