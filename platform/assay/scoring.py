"""Anybody's samples, scored by kind: what `assay evaluate`, submissions and Python share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from assay.config import choose
from assay.errors import ConfigError

Kind = Literal["molecules", "crystals", "captions", "pathways"]
Watch = Callable[[str, float], None]


def score(
    kind: str,
    samples: Path,
    *,
    reference: str | None = None,
    protocols: Sequence[str] | None = None,
    processes: int = 2,
    watch: Watch | None = None,
    energies: str | None = None,
) -> dict[str, Any]:
    """Score a file of samples.

    Args:
        kind: molecules, crystals, captions or pathways.
        samples: The file, as the kind's `assay evaluate` reads it.
        reference: A prepared data set: adds what needs one, and the data's own row.
        protocols: Names; None means all that can be used here.
        processes: For molecules and crystals.
        watch: Is told what is at work.
        energies: Of crystals, a potential by which they are judged to be stable, such as chgnet.

    Returns:
        `metrics`, `rejected` and `provenance`, JSON throughout.

    Raises:
        ConfigError: there is no such kind, data set or protocol, or the kind takes none.
        DataError: the file or the data set cannot be used.
        MachineError: a protocol that was asked for lacks something.
    """
    kind = choose("kind of samples", kind, get_args(Kind))
    if energies is not None and kind != "crystals":
        raise ConfigError(f"{kind}: have no energies; leave them out")
    if kind == "captions":
        from assay.captioning.metrics.evaluate import evaluate_captions

        if reference is not None:
            raise ConfigError("captions: hold their references themselves; leave out the reference")
        return evaluate_captions(samples, protocols, None, watch)
    if kind == "pathways":
        from assay.pathways.metrics.evaluate import evaluate_file

        if protocols is not None:
            raise ConfigError("pathways: have one set of metrics; leave out the protocols")
        return evaluate_file(samples, reference, watch)
    from assay.generation.metrics import evaluate

    if kind == "molecules":
        return evaluate.evaluate_molecules(samples, reference, processes, protocols, watch)
    return evaluate.evaluate_crystals(samples, reference, processes, protocols, watch, energies)
