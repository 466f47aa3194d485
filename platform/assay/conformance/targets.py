"""Which checks apply to what is named `package.module:Name`."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay.catalog import load
from assay.config import SizedSettings, parse_yaml, set_dotted
from assay.conformance.checks import Check, Outcome, carry_out
from assay.errors import ConfigError
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.denoiser import Denoiser
from assay.generation.metrics.protocol import ScoringProtocol
from assay.generation.processes.process import GenerativeProcess
from assay.store.sets import DataSet
from assay.task import Task

Subjects = list[tuple[str, Callable[[], Any]]]
SMALL: Mapping[str, Mapping[str, Any]] = {
    "gnn": {"width": 16, "depth": 2, "radial": 8},
    "transformer": {"width": 32, "depth": 2, "heads": 4, "radial": 8},
    "pairformer": {
        "width": 16, "pair_width": 8, "depth": 1, "heads": 2, "pair_heads": 2, "radial": 8
    },
}  # fmt: skip
"""Settings of our own networks with which checks take seconds."""


def outcomes(
    target: str,
    overrides: tuple[str, ...] = (),
    cell: Path | None = None,
    source: str | None = None,
) -> Iterator[Outcome]:
    """Yield what became of every check of a target.

    Args:
        target: `package.module:Name` of a Denoiser, a GenerativeProcess, a ScoringProtocol, a
            DataSet or a Task.
        overrides: `key=value` of a Denoiser's settings, to make it small.
        cell: The YAML of a cell of a Task's family.
        source: What a DataSet is read from.

    Raises:
        ConfigError: there is no such thing, it is none of these, or an option does not apply.
    """
    subjects, checks = _of(target, overrides, cell, source)
    return carry_out(subjects, checks)


def _of(
    target: str, overrides: tuple[str, ...], cell: Path | None, source: str | None
) -> tuple[Subjects, tuple[Check, ...]]:
    if ":" not in target:
        raise ConfigError(f"{target}: name a class as package.module:Name")
    found = load(target)
    is_class = isinstance(found, type)
    if overrides and not (is_class and issubclass(found, Denoiser)):
        raise ConfigError(f"{target}: --set is for architectures")
    if is_class and issubclass(found, Denoiser | GenerativeProcess):
        from assay.conformance.grid import CHECKS

        return _cells(found, overrides), CHECKS
    if _derives(found, ScoringProtocol):
        from assay.conformance.protocols import CHECKS

        return [(found.name, found)], CHECKS
    if _derives(found, Task):
        return _family(target, found, cell)
    if not is_class and _derives(type(found), DataSet):
        from assay.conformance.data_sets import CHECKS, DataSetUnderTest

        return [(found.name, partial(DataSetUnderTest, found, source))], CHECKS
    raise ConfigError(
        f"{target}: is neither a class that derives from Denoiser, GenerativeProcess, "
        "ScoringProtocol or Task, nor an object of a class that derives from DataSet"
    )


def _derives(found: Any, base: type) -> bool:
    """Tell whether a class names a base, which may be a typing.Protocol, among its own."""
    return isinstance(found, type) and base in found.__mro__


def _cells(found: type[Denoiser] | type[GenerativeProcess], overrides: tuple[str, ...]) -> Subjects:
    """Pair an architecture with every process, or a process with every architecture of ours."""
    from assay.conformance.grid import GridCell

    if issubclass(found, Denoiser):
        settings = _settings(found, overrides)
        return [
            (name, partial(GridCell, found, load(path), settings))
            for name, path in PROCESSES.items()
            if load(path) is not found
        ]
    return [
        (name, partial(GridCell, load(ARCHITECTURES[name]), found, small))
        for name, small in SMALL.items()
    ]


def _settings(found: type[Denoiser], overrides: tuple[str, ...]) -> dict[str, Any]:
    ours = next((name for name, path in ARCHITECTURES.items() if load(path) is found), None)
    settings: dict[str, Any] = {**SMALL.get(ours or "", {"size": "xs"})}
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ConfigError(f"--set {override!r}: expected key=value, such as width=16")
        set_dotted(settings, key, parse_yaml(text))
    if not issubclass(found.Settings, SizedSettings):
        raise ConfigError(f"{found.__name__}.Settings: is no SizedSettings")
    return settings


def _family(target: str, found: type[Any], path: Path | None) -> tuple[Subjects, tuple[Check, ...]]:
    from assay import catalog
    from assay.conformance.families import CHECKS, FamilyUnderTest
    from assay.runner import read_cell

    if path is None:
        raise ConfigError(f"{target}: is a family; name a cell of it with --cell CELL.yaml")
    cell = read_cell(path)
    if catalog.family(cell.family) is not found:
        known = catalog.FAMILIES[cell.family]
        raise ConfigError(f"{path}: is a cell of {known}, not of {target}")
    return [(cell.family, partial(FamilyUnderTest, cell))], CHECKS
