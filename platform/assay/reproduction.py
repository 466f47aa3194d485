"""A published result, computed again from its cell and held against what was published."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.cell import Cell
from assay.config import validate
from assay.errors import ConfigError, DataError
from assay.provenance import code_digest, package_versions
from assay.result import Result, read_result
from assay.runner import Manner, Watch, finished, run_cell
from assay.store import sets
from assay.task import Estimate
from assay.training.execution import Execution

Verdict = Literal["same bits", "inside", "outside", "other version", "missing"]
CONFIRMING: frozenset[Verdict] = frozenset({"same bits", "inside"})


@dataclass(frozen=True)
class Line:
    """One estimate, as it was published and as it is now."""

    metric: str
    published: Estimate
    again: Estimate | None
    verdict: Verdict


@dataclass(frozen=True)
class Reproduction:
    """A result and the same cell computed again."""

    published: Result
    again: Result
    lines: tuple[Line, ...]

    @property
    def confirmed(self) -> bool:
        """Whether every estimate of the present versions is the same or inside its interval."""
        judged = [line.verdict for line in self.lines if line.verdict != "other version"]
        return bool(judged) and all(verdict in CONFIRMING for verdict in judged)


@dataclass(frozen=True)
class Request:
    """What it takes to compute a result again."""

    published: Result
    cell: Cell
    execution: Execution
    remarks: tuple[str, ...]
    """What is not as it was, so that bits may differ."""


def prepare(path: Path, device: str | None = None, threads: int | None = None) -> Request:
    """Read a result and see that it can be computed again here.

    Args:
        path: Of the result file.
        device: `cpu` or `cuda`; by default what the result was made on.
        threads: By default as many as the result was made with.

    Raises:
        ConfigError: the cell is none that this version knows.
        DataError: the file is unreadable or edited, it does not say which data it was made of, or
            that data is not here.
    """
    published = read_result(path)
    data = published.cell.get("data") or {}
    if not data.get("name") or not data.get("digest"):
        raise DataError(
            f"{path}: does not say by name and digest which data it was made of, so nobody can "
            "tell whether a second run would see the same"
        )
    try:
        cell = validate(Cell, published.cell, str(path))
    except ConfigError as error:
        commit = published.provenance.git_commit
        with_it = f"; `git checkout {commit[:10]}` has the code that made it" if commit else ""
        raise ConfigError(f"{error}; this version knows no such cell{with_it}") from error
    prepared = sets.prepare(cell.data.name)
    sets.require_digest(prepared, cell.data.digest)
    made = published.provenance
    given = {
        "device": device or ("cpu" if made.device == "cpu" else "cuda"),
        "threads": threads or made.threads,
        "accumulation": made.accumulation,
        "compile": made.compiled,
    }
    execution = validate(Execution, given, "command line")
    return Request(published, cell, execution, tuple(_remarks(published, cell, execution)))


def run(request: Request, storage: Path, watch: Watch, *, fresh: bool, manner: Manner) -> Result:
    """Compute the cell again, or carry on; what other code has made again does not count.

    Args:
        request: As `prepare` returns it.
        storage: A run store of its own, which does not hold what is to be confirmed.
        watch: As in `run_cell`.
        fresh: Compute again, even if the present code has done so already.
        manner: As in `run_cell`.

    Raises:
        AssayError: as `run_cell`.
    """
    before = finished(storage, request.cell.key)
    here = (code_digest(), package_versions())
    by_others = before is not None and here != (
        before.provenance.code_digest,
        before.provenance.packages,
    )
    return run_cell(
        request.cell, request.execution, storage, watch, fresh=fresh or by_others, manner=manner
    )


def compare(published: Result, again: Result) -> Reproduction:
    """Hold each published estimate against the new one."""
    lines = (
        _line(name, estimate, again.estimates.get(name))
        for name, estimate in published.estimates.items()
    )
    return Reproduction(published, again, tuple(lines))


def document(found: Reproduction, remarks: tuple[str, ...]) -> dict[str, Any]:
    """Return a reproduction as JSON."""
    return {
        "cell_key": found.published.provenance.cell_key,
        "confirmed": found.confirmed,
        "estimates": {
            line.metric: {
                "verdict": line.verdict,
                "published": line.published.model_dump(),
                "again": line.again.model_dump() if line.again else None,
            }
            for line in found.lines
        },
        "remarks": list(remarks),
        "provenance": {
            "published": found.published.provenance.model_dump(mode="json"),
            "again": found.again.provenance.model_dump(mode="json"),
        },
    }


def _line(metric: str, published: Estimate, again: Estimate | None) -> Line:
    verdict: Verdict
    if again is None:
        verdict = "missing"
    elif again.version != published.version:
        verdict = "other version"
    elif again == published:
        verdict = "same bits"
    elif published.low <= again.value <= published.high:
        verdict = "inside"
    else:
        verdict = "outside"
    return Line(metric, published, again, verdict)


def _remarks(published: Result, cell: Cell, execution: Execution) -> list[str]:
    made, here = published.provenance, package_versions()
    found = [
        f"{name}: made with {made.packages.get(name, 'none')}, here {here.get(name, 'none')}"
        for name in sorted(made.packages.keys() | here.keys())
        if made.packages.get(name) != here.get(name)
    ]
    if made.code_digest != code_digest():
        commit = (made.git_commit or "unknown")[:10]
        dirty = ", with uncommitted changes" if made.git_dirty else ""
        found.append(
            f"code: made by assay {made.assay_version}, commit {commit}{dirty}; here other"
        )
    if made.cell_key != cell.key:
        found.append(f"cell: settings have been added since, it is now {cell.key}")
    if made.workers != 1:
        found.append(f"workers: made by {made.workers}, here 1, which adds up in another order")
    if made.threads != execution.threads:
        found.append(f"threads: made with {made.threads}, here {execution.threads}")
    device = "cpu" if made.device == "cpu" else "cuda"
    if device != execution.device:
        found.append(f"device: made on {made.device}, here {execution.device}")
    return found
