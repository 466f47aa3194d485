"""The names of cells in a report: the variant, and what else tells cells of one variant apart."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from assay.result import Result

_BESIDE = ("settings", "training", "budget", "hardware")
"""Parts of a cell that may differ within a suite, those first that say what others follow from."""
_ABSENT = {"training.records": "all", "settings.smiles": "given"}
"""What it means that a cell says nothing of a setting."""


def names(results: Iterable[Result]) -> dict[str, str]:
    """Return a name of every result, by cell key, such as `gnn-diffusion, width=64, records=1,024`.

    A setting is left out where those that are named already say it, as a learning rate that goes
    with the width. Cells that differ in nothing but their seed have the same name.
    """
    found = {}
    ordered = sorted(results, key=lambda result: result.label)
    for label, group in groupby(ordered, key=lambda result: result.label):
        of_label = list(group)
        settings = [dict(_flat(result.cell)) for result in of_label]
        told = _telling(settings)
        for result, each in zip(of_label, settings, strict=True):
            words = (f"{_short(key, told)}={_text(key, each.get(key))}" for key in told)
            found[result.provenance.cell_key] = ", ".join([label, *words])
    return found


def _flat(cell: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for part in _BESIDE:
        yield from _leaves(part, cell.get(part))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(f"{path}.{key}", below)
    else:
        yield path, tuple(value) if isinstance(value, list) else value


def _telling(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return keys whose values tell all settings apart; each says what those before do not."""
    told: list[str] = []
    for key in dict.fromkeys(key for each in settings for key in each):
        said = {tuple(repr(each.get(k)) for k in told) for each in settings}
        with_it = {tuple(repr(each.get(k)) for k in (*told, key)) for each in settings}
        if len(with_it) > len(said):
            told.append(key)
    return told


def _short(key: str, among: Sequence[str]) -> str:
    last = key.rpartition(".")[2]
    return last if sum(each.rpartition(".")[2] == last for each in among) == 1 else key


def _text(key: str, value: Any) -> str:
    if value is None:
        return _ABSENT.get(key, "none")
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
