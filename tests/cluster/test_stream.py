"""Shards through Ray Data, in a real Ray on this machine, read from an S3 server on it."""

import contextlib
import logging
import os

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from assay.cluster.session import ensure_token
from assay.cluster.stream import through_ray_data
from assay.errors import DataError
from assay.generation.data.molecules import splits
from assay.store import sets
from assay.training.order import WINDOW, order_of, read_ahead
from tests.generation.sharded import NAME, losses, make, tiny_cell
from tests.store.s3_for_tests import BUCKET, local_s3
from tests.test_cell import ROOT

pytestmark = pytest.mark.slow

CPUS = 2


class Reads(logging.Handler):
    """The shards that the server was asked for, in order."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def emit(self, record):
        text = record.getMessage()
        if "GET" in text and "/train-" in text:
            self.names.append(text.partition("/train-")[2].partition(".")[0])


@pytest.fixture(scope="module")
def ray_on_s3(prepared_mini):
    """Ray with two CPUs, whose workers see the S3 server that holds mini@64."""
    with pytest.MonkeyPatch.context() as patch, local_s3():
        patch.setenv("ASSAY_CACHE", str(prepared_mini))
        patch.setenv("ASSAY_SHARDS", f"{BUCKET}/sets")
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
        patch.delenv("ASSAY_DATA", raising=False)
        patch.delenv("RAY_ADDRESS", raising=False)
        make(f"{BUCKET}/sets")
        ensure_token()
        ray.init(
            address="local",
            num_cpus=CPUS,
            include_dashboard=False,
            object_store_memory=100 * 1024**2,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        try:
            yield
        finally:
            ray.shutdown()


@pytest.fixture
def reads(ray_on_s3):
    server, handler = logging.getLogger("werkzeug"), Reads()
    server.addHandler(handler)
    yield handler.names
    server.removeHandler(handler)


class Trial:
    """Holds a CPU, as a trial does, and looks at the losses of a cell."""

    def losses(self, begin: int, end: int, streamed: bool) -> list[str]:
        with through_ray_data() if streamed else contextlib.nullcontext():
            return losses(tiny_cell(), begin, end)


def test_trials_that_hold_every_cpu_are_fed_and_see_what_the_plain_ones_see(ray_on_s3, reads):
    group = placement_group([{"CPU": 1}] * CPUS)
    ray.get(group.ready())
    trials = [
        ray.remote(Trial)
        .options(
            num_cpus=1,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                group, bundle, placement_group_capture_child_tasks=True
            ),
        )
        .remote()
        for bundle in range(CPUS)
    ]
    assert ray.available_resources().get("CPU", 0) == 0

    streamed = ray.get([t.losses.remote(k, 70, True) for k, t in zip((0, 45), trials, strict=True)])
    plain = ray.get(trials[0].losses.remote(0, 70, False))

    assert streamed[0] == plain
    assert streamed[1] == plain[45:]
    for trial in trials:
        ray.kill(trial)
    remove_placement_group(group)


def test_shards_come_in_order_few_ahead_of_training_and_stop_with_it(ray_on_s3, reads):
    train = splits(sets.prepare(NAME)).train
    order = order_of(train, 64, 0)
    upcoming = order.blocks_from(2)
    expected = [f"{next(upcoming):05d}" for _ in range(60)]
    used, furthest = set(), 0
    with through_ray_data():
        read_ahead(train, order, 2)
        for step in range(2, 30):  # one epoch
            train.batch(order.indices(step))
            used |= set(train.window.resident)
            furthest = max(furthest, len(reads) - len(used))
    ended = list(reads)

    assert sorted(ended) == sorted(expected[: len(ended)])
    assert furthest <= 2 * WINDOW
    for step in range(30, 40):  # nobody reads ahead any more, and nothing is missed
        train.batch(order.indices(step))
    assert len(set(reads[len(ended) :])) <= 10 + 2 * WINDOW


def test_a_fault_of_a_reader_is_its_sentence(ray_on_s3, monkeypatch):
    sharded = sets.prepare(NAME)
    train = splits(sharded).train
    order = order_of(train, 64, 0)
    gone = sharded.index.train[0].model_copy(update={"name": "train-99999.safetensors"})
    sharded.index.train[:] = [gone] * len(sharded.index.train)
    with through_ray_data():
        read_ahead(train, order, 0)
        with pytest.raises(DataError, match=r"mini@64/train-99999\.safetensors: is missing"):
            train.batch(order.indices(0))
