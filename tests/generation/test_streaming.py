"""A cell trained from shards: the same to the last bit from anywhere, interrupted or not."""

import pytest

from assay.runner import run_cell, train_until
from assay.store.shards import ShardedSet
from assay.training.execution import Execution
from tests.generation.sharded import curves, make, tiny_cell
from tests.store.s3_for_tests import BUCKET, local_s3

EXECUTION = Execution()


def nobody(report) -> None:
    pass


@pytest.fixture
def reads(monkeypatch):
    """The shards that are read, in order."""
    read, shard = [], ShardedSet.shard

    def note(self, number, content=None):
        read.append(number)
        return shard(self, number, content)

    monkeypatch.setattr(ShardedSet, "shard", note)
    return read


@pytest.mark.slow
def test_training_reads_each_shard_once_an_epoch(mini, tmp_path, monkeypatch, reads):
    make(str(tmp_path / "place"))
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path / "place"))
    cell = tiny_cell("budget={steps: 30}", "training={batch_size: 64, validations: 1}")

    run_cell(cell, EXECUTION, tmp_path / "runs", nobody)

    assert sorted(reads) == list(range(31))


@pytest.mark.slow
def test_a_folder_a_bucket_and_a_resumed_run_train_alike(mini, tmp_path, monkeypatch):
    make(str(tmp_path / "place"))
    monkeypatch.setenv("ASSAY_SHARDS", str(tmp_path / "place"))
    cell = tiny_cell()
    straight = run_cell(cell, EXECUTION, tmp_path / "straight", nobody)

    with local_s3():
        make(f"{BUCKET}/sets")
        monkeypatch.setenv("ASSAY_SHARDS", f"{BUCKET}/sets")
        for fraction in (0.2, 0.7):
            train_until(cell, EXECUTION, tmp_path / "resumed", nobody, fraction)
        resumed = run_cell(cell, EXECUTION, tmp_path / "resumed", nobody)

    assert curves(tmp_path / "resumed", cell) == curves(tmp_path / "straight", cell)
    assert resumed.estimates == straight.estimates
    assert resumed.provenance.data_description == straight.provenance.data_description
