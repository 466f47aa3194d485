"""What is dear to compute and follows from other things alone: computed once, kept in the cache.

    rows = kept("neighbours", digest16(all_that_they_follow_from), compute)

A file is named by the digest of all that it follows from, and holds it, too: one that was renamed
or copied over another is refused, not read.
"""

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from assay.errors import DataError
from assay.result import write_bytes
from assay.store.locations import cache_root

_MADE_OF = "made_of"


def kept(kind: str, digest: str, compute: Callable[[], Tensor]) -> Tensor:
    """Return what `compute` returns, or returned when it was first asked for.

    Args:
        kind: Of what is kept, which names its folder; it may hold `/`.
        digest: Of everything that the result follows from.
        compute: Called where there is no file.

    Raises:
        DataError: the file is damaged, or was made of something else.
        MachineError: it cannot be written.
    """
    path = cache_root() / "kept" / kind / f"{digest}.safetensors"
    if path.exists():
        return _read(path, digest)
    found = compute()
    write_bytes(path, save({"it": found.contiguous()}, metadata={_MADE_OF: digest}))
    return found


def _read(path: Path, digest: str) -> Tensor:
    try:
        with safe_open(path, framework="pt") as file:
            made_of = (file.metadata() or {}).get(_MADE_OF)
            found = file.get_tensor("it")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it") from error
    if made_of != digest:
        raise DataError(f"{path}: was made of something else ({made_of}); delete it")
    return found
