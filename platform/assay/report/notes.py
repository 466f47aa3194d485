"""What a reader must know before comparing the rows of a leaderboard, in plain sentences."""

from collections.abc import Callable, Sequence
from typing import Any

from assay.report.folders import Folder
from assay.report.terminal import ONE_SEED
from assay.report.told_apart import names
from assay.report.wording import count_text
from assay.result import Result

_LISTED = 6


def notes(folder: Folder) -> list[str]:
    """Return what makes a suite's rows less comparable or less complete than they look."""
    results = folder.results
    found = [
        _mixed(results, "versions of Assay", lambda r: r.provenance.assay_version),
        _mixed(results, "states of the code", lambda r: r.provenance.code_digest),
        _mixed(results, "git commits", lambda r: (r.provenance.git_commit or "unknown")[:10]),
        _mixed(results, "versions of the evaluation protocol", lambda r: r.provenance.protocol),
        _mixed(results, "data digests", lambda r: str(r.cell["data"]["digest"])[:12]),
        _mixed(results, "machines or devices, so that times do not compare",
               lambda r: f"{r.provenance.device}, {count_text(r.provenance.threads, 'thread')}, "
                         f"{r.provenance.machine}"),
        _dirty(results),
        _resumed(results),
        _quarantined(results),
        _on_other_data(folder),
        _missing(folder),
        _without(folder, "curves", folder.curves),
        _without(folder, "samples", folder.sketches) if folder.is_drawn else None,
    ]  # fmt: skip
    if folder.reference is None:
        found.append("The reference row is missing: models are held against nothing.")
    return [note for note in found if note is not None]


def seeds_note(results: Sequence[Result]) -> str:
    """Return what the intervals cover."""
    seeds = sorted({result.cell["seed"] for result in results})
    if len(seeds) == 1:
        return ONE_SEED
    listed = ", ".join(map(str, seeds))
    return (
        f"{len(seeds)} seeds ({listed}): the interval of a mean is Student's t over its seeds and "
        "covers training; that of a single seed covers evaluation only."
    )


def _mixed(results: Sequence[Result], what: str, of: Callable[[Result], Any]) -> str | None:
    kinds = sorted({str(of(result)) for result in results})
    if len(kinds) < 2:
        return None
    return f"These results mix {len(kinds)} {what} ({_listed(kinds)})."


def _dirty(results: Sequence[Result]) -> str | None:
    dirty = sum(result.provenance.git_dirty is True for result in results)
    if not dirty:
        return None
    whose = "All results were" if dirty == len(results) else f"{dirty} of {len(results)} were"
    return f"{whose} computed from a working tree with uncommitted changes."


def _resumed(results: Sequence[Result]) -> str | None:
    resumed = sum(result.provenance.resumed > 0 for result in results)
    if not resumed:
        return None
    return f"{count_text(resumed, 'cell')} carried on from a checkpoint after an interruption."


def _quarantined(results: Sequence[Result]) -> str | None:
    count = sum(result.provenance.quarantined for result in results)
    if not count:
        return None
    return f"{count_text(count, 'checkpoint')} did not verify and had to be set aside."


def _on_other_data(folder: Folder) -> str | None:
    digests = {str(result.cell["data"]["digest"]) for result in folder.results}
    other = [each.name for each in folder.external if each.data["digest"] not in digests]
    if not other or not digests:
        return None
    return f"Scored against another version of the data than the models here: {_listed(other)}."


def _missing(folder: Folder) -> str | None:
    if not folder.missing:
        return None
    which = _listed(list(dict.fromkeys(folder.missing)))  # of a ladder, a variant's rungs are one
    return f"No result yet of {count_text(len(folder.missing), 'cell')}: {which}."


def _without(folder: Folder, what: str, found: Any) -> str | None:
    named = names(folder.results)
    without = [
        f"{named[result.provenance.cell_key]}, seed {result.cell['seed']}"
        for result in folder.results
        if not found.get(result.provenance.cell_key)
    ]
    if not without:
        return None
    if len(without) == len(folder.results):
        return f"No cell has stored {what}."
    return f"No {what} of {count_text(len(without), 'cell')}: {_listed(without)}."


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _LISTED:,} more" if len(words) > _LISTED else ""
    return "; ".join(words[:_LISTED]) + more
