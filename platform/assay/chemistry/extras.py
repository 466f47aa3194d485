"""Libraries that only some users install: what is said where one is missing."""

import contextlib
from collections.abc import Iterator

from assay.errors import MachineError


@contextlib.contextmanager
def needing(extra: str) -> Iterator[None]:
    """Import, in the body, what the extra `extra` of assay-bench installs.

    Raises:
        MachineError: it is not installed; the sentence says how to.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        raise MachineError(
            f"{package} is not installed; run `pip install 'assay-bench[{extra}]'`"
        ) from error
