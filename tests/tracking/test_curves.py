import pytest

from assay.errors import DataError
from assay.tracking.curves import Curves


def test_each_row_is_read_once_and_a_torn_line_waits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    curves = Curves(path)
    assert curves.new() == []

    path.write_text('{"step": 1}\n{"step"')
    assert curves.new() == [{"step": 1}]
    with path.open("a") as file:
        file.write(': 2}\n{"step": 3}\n')
    assert curves.new() == [{"step": 2}, {"step": 3}]
    assert curves.new() == []


def test_a_line_that_is_not_json_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("step 1\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl"):
        Curves(path).new()
