"""A finished cell on disk: what was run, what was measured, what it cost, where it comes from.

MLflow and the report are views of these files; either can be rebuilt from them. A cell's folder
in the run store, `<storage>/cells/<cell_key>/`, holds

    cell.json  metrics.jsonl  checkpoints/  artifacts/samples.npz  result.json

and a suite's published folder holds, for every cell, `<cell_key>.json`,
`<cell_key>.metrics.jsonl` and `<cell_key>.samples.npz` (or `.scores.npz`, or `.captions.jsonl`, as
the family has it; `assay.cluster.publish.SOURCES` names all), beside `suite.json` (the suite as it
was run) and `reference.json` (what models are held against: the data's own row, or that of a
heuristic). A grid on Ray adds `<cell_key>.card.md`, a model card made of these, which nothing
reads.
"""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from assay.config import S, Settings, digest16, validate
from assay.errors import ConfigError, DataError, MachineError
from assay.task import Estimate

KEY = re.compile(r"[0-9a-f]{16}")


class Cost(Settings):
    """What the result took."""

    parameters: NonNegativeInt
    steps: NonNegativeInt
    samples: NonNegativeInt
    """Training records seen, repetitions included."""
    records: NonNegativeInt | None = None
    """Distinct training records that there were; older results do not say."""
    flops: NonNegativeFloat
    """Measured by torch.utils.flop_counter over all training steps, backward included."""
    training_seconds: NonNegativeFloat
    evaluation_seconds: NonNegativeFloat
    peak_memory_bytes: NonNegativeInt
    """Of the device on a GPU, of the process (resident set) on a CPU."""

    @property
    def samples_per_second(self) -> float:
        """Training throughput."""
        return self.samples / self.training_seconds if self.training_seconds else 0.0

    @property
    def flops_per_sample(self) -> float:
        """Training FLOPs a record."""
        return self.flops / self.samples if self.samples else 0.0


class Provenance(Settings):
    """Where a number comes from."""

    cell_key: str
    protocol: str
    """Version of the evaluation protocol; a result of another version is evaluated again."""
    assay_version: str
    code_digest: str
    """First 16 hex digits of SHA-256 over the installed package's sources."""
    git_commit: str | None
    git_dirty: bool | None
    packages: dict[str, str]
    python: str
    machine: str
    device: str
    threads: int
    accumulation: int = 1
    """Micro-batches a step."""
    compiled: bool = False
    """By torch.compile."""
    workers: int = 1
    sharding: str | None = None
    """How several workers shared the model: ddp or fsdp2."""
    data_description: str
    created_utc: str
    resumed: int = 0
    """How often training was resumed from a checkpoint."""
    shared_steps: int = 0
    """Steps at the beginning that were taken from a cell of another budget (`Cell.trunk`)."""
    chosen_step: int | None = None
    """The step whose weights were evaluated, where validation chose it."""
    quarantined: int = 0
    """Checkpoints that did not verify and were set aside."""
    ray_job_id: str | None = None


class Result(Settings):
    """A finished cell. `cell` stays plain, so that old results outlive new settings."""

    cell: dict[str, Any]
    estimates: dict[str, Estimate]
    cost: Cost
    provenance: Provenance

    @property
    def label(self) -> str:
        """The variant in one word, such as `gnn-flow_matching`."""
        return "-".join(self.cell["variant"].values())


class Reference(Settings):
    """What a suite's models are held against: the data's own row, or that of a heuristic."""

    name: str = "real data"
    """What was scored."""
    label: str
    """On what."""
    estimates: dict[str, Estimate]
    provenance: dict[str, Any] = Field(default_factory=dict)


FailureKind = Literal["error", "not_finite", "memory", "died"]


class Failure(Settings):
    """Why a cell ended without a result."""

    cell: dict[str, Any]
    reason: str
    kind: FailureKind


def write_json(path: Path, data: Settings | dict[str, Any] | list[Any]) -> None:
    """Write JSON so that `path` holds either the old or the whole new text, never a part."""
    plain = data.model_dump(mode="json") if isinstance(data, Settings) else data
    write_bytes(path, (json.dumps(plain, indent=1, allow_nan=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: temporary file in the same directory, fsync, rename.

    Raises:
        MachineError: the disk is full, or the folder may not be written.
    """
    try:
        _write_and_rename(path, content)
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be written ({error.strerror or error}); free some space, or choose "
            "another folder"
        ) from error


def _write_and_rename(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_result(path: Path) -> Result:
    """Read and check a result file.

    Raises:
        DataError: the file is unreadable, breaks the schema, or its cell does not hash to its key.
    """
    result = read_settings(Result, path)
    if digest16(result.cell) != result.provenance.cell_key:
        raise DataError(f"{path}: the cell does not hash to {result.provenance.cell_key}: edited?")
    return result


def read_results(directory: Path) -> list[Result]:
    """Read every result of a suite's folder, in the order of their labels, seeds and keys."""
    paths = [p for p in directory.glob("*.json") if KEY.fullmatch(p.stem)]
    return sorted(map(read_result, paths), key=_place)


def read_named(paths: Sequence[Path]) -> list[Result]:
    """Read the results of suites' folders and of single files, each cell once.

    Raises:
        ConfigError: a path is not there, or a folder holds no result.
        DataError: a file is unreadable, or edited.
    """
    found: dict[str, Result] = {}
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or folder")
        results = read_results(path) if path.is_dir() else [read_result(path)]
        if not results:
            raise ConfigError(f"{path}: holds no result (<cell_key>.json): run its suite first")
        found |= {result.provenance.cell_key: result for result in results}
    return sorted(found.values(), key=_place)


def require_one_version(results: Sequence[Result], figure: str) -> None:
    """Refuse to hold a figure of results against each other that is of several versions.

    Raises:
        DataError: it is.
    """
    found = (result.estimates.get(figure) for result in results)
    versions = sorted({estimate.version for estimate in found if estimate is not None})
    if len(versions) > 1:
        raise DataError(f"{figure}: is of versions {', '.join(versions)}, not comparable")


def _place(result: Result) -> tuple[str, int, str]:
    return result.label, result.cell["seed"], result.provenance.cell_key


def read_reference(directory: Path) -> Reference | None:
    """Read the data's own row of a suite's folder, if there is one."""
    path = directory / "reference.json"
    return read_settings(Reference, path) if path.exists() else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a cell's curves: one mapping a line, each with `step`; a torn last line is dropped."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(keepends=True), start=1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if line.endswith("\n"):
                raise DataError(f"{path}: line {number} is not JSON") from error
    return rows


def read_settings(model: type[S], path: Path) -> S:
    """Read a JSON file as `model`.

    Raises:
        DataError: the file is unreadable or breaks the schema; names the file and the key.
    """
    try:
        return validate(model, read_plain(path), str(path))
    except ConfigError as error:
        raise DataError(str(error)) from error


def read_plain(path: Path) -> Any:
    """Read JSON as it is.

    Raises:
        DataError: the file is missing, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error
