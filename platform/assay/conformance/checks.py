"""A check is a function that is given a subject and raises what it finds; its name is its claim."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Check = Callable[[Any], None]
log = logging.getLogger(__name__)


class ConformanceError(Exception):
    """What a subject does that it must not."""


@dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    subject: str
    check: str
    violation: str | None
    """None: it holds."""


def require(holds: object, otherwise: str) -> None:
    """Raise a ConformanceError that says what is `otherwise` than it must be.

    Unlike `assert`, it stays where Python optimises.
    """
    if not holds:
        raise ConformanceError(otherwise)


def carry_out(
    subjects: Iterable[tuple[str, Callable[[], Any]]], checks: Iterable[Check]
) -> Iterator[Outcome]:
    """Yield what became of every check of every subject, each on a subject of its own.

    Args:
        subjects: A name, and what makes the subject.
        checks: As functions; a fault that they do not expect is a violation, too.
    """
    checks = list(checks)
    for name, make in subjects:
        for check in checks:
            yield Outcome(name, claim(check), _violation(check, make))


def claim(check: Check) -> str:
    """Return what a check claims, in words."""
    return check.__name__.replace("_", " ")


def _violation(check: Check, make: Callable[[], Any]) -> str | None:
    try:
        check(make())
    except ConformanceError as violation:
        return str(violation)
    except Exception as error:
        log.info("%s", check.__name__, exc_info=True)
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return None
