"""A suite's published folder, read whole and checked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from assay.config import Settings
from assay.errors import ConfigError, DataError
from assay.ladder import Ladder
from assay.report.captions import Described, read_captions
from assay.report.sketch import Sketch, read_sketches
from assay.result import (
    Reference,
    Result,
    read_metrics,
    read_reference,
    read_results,
    read_settings,
)
from assay.submission import Submission, read_submissions

SKETCHES = 8
"""Samples of a cell that are drawn: its first ones, so that nobody chose them."""
DRAWN = ("generation",)
"""The families whose samples are molecules or crystals."""
CAPTIONS = 4
"""Captions of a cell that are shown."""
ALL_SKETCHES = 1600
"""Of a suite: with more than 200 cells, each shows fewer samples."""


class SuiteFile(Settings):
    """What the report reads of `suite.json`; old suites outlive new keys."""

    model_config = ConfigDict(extra="ignore")

    name: str
    title: str
    family: str
    data: str
    grid: dict[str, list[str]]
    seeds: list[int]
    budget: dict[str, float | None]
    ladder: Ladder | None = None


@dataclass(frozen=True)
class Folder:
    """A suite with all that was published of it; what a cell lacks is not in the mappings."""

    path: Path
    suite: SuiteFile
    results: Sequence[Result]
    reference: Reference | None
    curves: Mapping[str, Sequence[Mapping[str, Any]]]
    """Rows of the log, by cell key."""
    sketches: Mapping[str, Sequence[Sketch]]
    """The first samples, by cell key."""
    captions: Mapping[str, Sequence[Described]]
    """The first captions, by cell key."""
    external: Sequence[Submission] = ()
    """What others submitted."""

    @property
    def is_drawn(self) -> bool:
        """Whether the suite's cells have samples to look at."""
        return self.suite.family in DRAWN

    @property
    def holds_crystals(self) -> bool:
        """Whether the samples are crystals."""
        drawn = (sketch for of_cell in self.sketches.values() for sketch in of_cell)
        return any(sketch.corners is not None for sketch in drawn)

    @property
    def missing(self) -> list[str]:
        """What the suite names and the folder lacks, such as `gnn-diffusion, seed 1`.

        Of a ladder, once for every rung that is lacking.
        """
        found = Counter((result.label, result.cell["seed"]) for result in self.results)
        labels = ["-".join(values) for values in product(*self.suite.grid.values())]
        rungs = len(self.suite.ladder.rungs()) if self.suite.ladder else 1
        return [
            f"{label}, seed {seed}"
            for label in labels
            for seed in self.suite.seeds
            for _ in range(rungs - found[label, seed])
        ]


def read_folder(path: Path) -> Folder:
    """Read a suite's published folder.

    Raises:
        ConfigError: the folder is missing or holds no result.
        DataError: a file in it is unreadable or corrupt; names the file.
    """
    if not path.is_dir():
        raise ConfigError(f"{path}: no such folder: give one that holds suite.json and results")
    results = read_results(path)
    if not results:
        raise ConfigError(f"{path}: holds no result (<cell_key>.json): run its suite first")
    keys = [result.provenance.cell_key for result in results]
    count = max(1, min(SKETCHES, ALL_SKETCHES // len(keys)))
    curves = {key: path / f"{key}.metrics.jsonl" for key in keys}
    samples = {key: path / f"{key}.samples.npz" for key in keys}
    texts = {key: path / f"{key}.captions.jsonl" for key in keys}
    return Folder(
        path=path,
        suite=read_settings(SuiteFile, path / "suite.json"),
        results=results,
        reference=read_reference(path),
        curves={key: _read_curves(file) for key, file in curves.items() if file.exists()},
        sketches={
            key: read_sketches(file, count) for key, file in samples.items() if file.exists()
        },
        external=read_submissions(path),
        captions={
            key: read_captions(file, CAPTIONS) for key, file in texts.items() if file.exists()
        },
    )


def _read_curves(path: Path) -> list[dict[str, Any]]:
    try:
        rows = read_metrics(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable ({error})") from error
    for number, row in enumerate(rows, start=1):
        numbers = row.values() if isinstance(row, dict) else [None]
        if not all(isinstance(value, int | float) for value in numbers) or "samples" not in row:
            raise DataError(f"{path}: line {number} is not a row of numbers with `samples`")
    return rows
