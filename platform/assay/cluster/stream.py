"""Shards through Ray Data: read by Ray's workers ahead of training, in the order of training."""

import contextlib
import itertools
import logging
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ray.exceptions import RayError

from assay.errors import DataError, MachineError
from assay.store.shards_place import Place
from assay.store.shards_window import reading_ahead

if TYPE_CHECKING:
    from ray.data.dataset import MaterializedDataset

READERS = 2
"""Shards that are read at the same time for one training process."""


@contextlib.contextmanager
def through_ray_data() -> Iterator[None]:
    """Let the sharded sets of this process be read ahead by Ray Data.

    The readers take no CPU of the cluster and stay out of placement groups, so that they run
    where trials hold everything; they run on this node, whose object store holds what is ahead.
    A process trains one cell at a time: reading ahead for the next ends that for the one before,
    which would keep its shards in the object store.
    """
    current: Generator[bytes] | None = None

    def read_ahead(place: Place, names: Iterator[str], count: int) -> Iterator[bytes]:
        nonlocal current
        if current is not None:
            current.close()
        current = _contents(place, names, count)
        return current

    with reading_ahead(read_ahead):
        try:
            yield
        finally:
            if current is not None:
                current.close()


def _contents(place: Place, names: Iterator[str], count: int) -> Generator[bytes]:
    """Yield what the named files hold.

    Raises:
        DataError: a file is missing or cannot be read.
        MachineError: Ray cannot read ahead, or has lost what it read.
    """
    try:
        yield from _in_turns(place, names, count)
    except RayError as error:
        what = " ".join(str(error).split())[:200]
        raise MachineError(
            f"{place.root}: Ray cannot read shards ahead ({type(error).__name__}: {what}); see "
            "that its object store has room, and give the same command again"
        ) from error


def _in_turns(place: Place, names: Iterator[str], count: int) -> Generator[bytes]:
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="shards") as reader:
        coming = reader.submit(_read_together, place, list(itertools.islice(names, count)))
        while True:
            shards = coming.result()
            following = list(itertools.islice(names, count))
            coming = reader.submit(_read_together, place, following)
            for row in shards.iter_rows():
                if row["fault"]:
                    raise DataError(row["fault"])
                yield row["content"]


def _read_together(place: Place, names: list[str]) -> "MaterializedDataset":
    """Bring the named files into the object store.

    A pipeline for each few files bounds what is ahead by their number. One for all files would
    have to be held back by back-pressure, whose loop keeps a core busy for as long as it waits.
    """
    import ray  # Ray Data takes seconds to import, and most cells need none of it
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it would tell of every pipeline
    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [{"place": place.root, "name": name} for name in names]
    shards = ray.data.from_items(items, override_num_blocks=len(items)).map(
        _read,
        num_cpus=0,
        compute=ray.data.TaskPoolStrategy(size=READERS),
        label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},
    )
    shards.context.execution_options.preserve_order = True
    return shards.materialize()


def _read(row: dict[str, Any]) -> dict[str, Any]:
    """Read one file; a fault is a value, for a raised one would lose its sentence on the way."""
    try:
        return {"content": Place(row["place"]).read(row["name"]), "fault": ""}
    except DataError as error:
        return {"content": b"", "fault": str(error)}
