"""What a data set must satisfy. It is built from its source, twice, into a temporary folder."""

import tempfile
from functools import cached_property
from pathlib import Path

import numpy as np

from assay.conformance.checks import require
from assay.store.packed import SPLITS, PackedSet
from assay.store.sets import Built, DataSet, origin_of


class DataSetUnderTest:
    """A data set and where it is read from."""

    def __init__(self, data_set: DataSet, source: str | None = None) -> None:
        self.data_set = data_set
        self._source = source

    @cached_property
    def built(self) -> Built:
        """What it makes of its source."""
        return self.again()

    def again(self) -> Built:
        """Build once more."""
        source = origin_of(self.data_set, self._source)
        return self.data_set.build(source, lambda phase, done: None)


def it_says_what_it_is(subject: DataSetUnderTest) -> None:
    """Title, licence, citation and kind: nobody should have to guess."""
    data_set = subject.data_set
    for name in ("name", "title", "licence", "citation", "kind"):
        said = getattr(data_set, name, None)
        require(isinstance(said, str) and said, f"{name} is missing")
    require(isinstance(data_set.version, int) and data_set.version >= 1, "version is no count")
    require(subject.built.description, "what was built has no description")


def every_record_has_an_id_of_its_own_and_a_split(subject: DataSetUnderTest) -> None:
    """`ids` and `split` say who is what."""
    arrays = subject.built.arrays
    for name in ("ids", "split"):
        require(name in arrays, f"there is no array {name!r}")
    ids, split = arrays["ids"], arrays["split"]
    require(len(ids) == len(split) > 0, f"{len(ids):,} ids and {len(split):,} splits")
    require(len(np.unique(ids)) == len(ids), "an id is given twice")
    require(set(np.unique(split)) <= set(range(len(SPLITS))), f"a split is none of {SPLITS}")
    require((split == SPLITS.index("test")).any(), "the test split is empty")


def its_numbers_are_finite(subject: DataSetUnderTest) -> None:
    """What is absurd is refused or left out when it is built."""
    wild = [
        name
        for name, array in subject.built.arrays.items()
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all()
    ]
    require(not wild, f"{wild[:1]} holds what is not finite")


def building_again_gives_the_same_digest(subject: DataSetUnderTest) -> None:
    """The content names the set: nothing in it depends on the time, the machine or chance."""
    with tempfile.TemporaryDirectory() as folder:
        digests = [_written(subject, built, folder) for built in (subject.built, subject.again())]
    require(digests[0] == digests[1], "two builds of one source have other digests")


CHECKS = (
    it_says_what_it_is,
    every_record_has_an_id_of_its_own_and_a_split,
    its_numbers_are_finite,
    building_again_gives_the_same_digest,
)


def _written(subject: DataSetUnderTest, built: Built, folder: str) -> str:
    name = subject.data_set.name
    packed = PackedSet.write(
        Path(folder), built.arrays, name=name, description=built.description, source="conformance"
    )
    packed.verify()
    return packed.digest
