"""Calls to MLflow that never stop the work: a fault is told once, loudly, and survived."""

import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE, ErrorCode

from assay.errors import AssayError
from assay.redact import scrubbed
from assay.tracking.destination import Destination, settle_environment
from assay.tracking.runs import Runs

T = TypeVar("T")
TRIES = 5
PAUSE_SECONDS = 60.0


class Guard:
    """Opens the suite's runs when first needed and does what it is given with them.

    A store that is busy (SQLite with several writers) is tried again at once; one that cannot be
    reached is left alone for a minute. What was missed is in the files, and the next call or the
    next command makes up for it.
    """

    def __init__(self, destination: Destination) -> None:
        settle_environment()
        self._destination = destination
        self._runs: Runs | None = None
        self._told = False
        self._pause_until = 0.0

    def do(self, action: Callable[[Runs], T], *, insist: bool = False) -> T | None:
        """Do `action`; None if MLflow fails. With `insist` the pause after a fault is skipped.

        Raises:
            AssayError: a file of ours is at fault, not MLflow.
        """
        if time.monotonic() < self._pause_until and not insist:
            return None
        for last_try in [False] * (TRIES - 1) + [True]:
            try:
                if self._runs is None:
                    self._runs = Runs(self._destination)
                result = action(self._runs)
                self._pause_until = 0.0
                return result
            except AssayError:
                raise
            except Exception as error:  # noqa: BLE001  whatever MLflow raises, the work goes on
                if last_try or not _is_busy(error):
                    self._tell(error)
                    return None
                time.sleep(random.uniform(0.05, 0.5))
        return None

    def _tell(self, error: Exception) -> None:
        self._pause_until = time.monotonic() + PAUSE_SECONDS
        if not self._told:
            self._told = True
            fault = scrubbed((str(error).splitlines() or [""])[0], self._destination.uri)[:300]
            print(  # noqa: T201
                f"MLflow at {self._destination.shown} cannot be used "
                f"({type(error).__name__}: {fault}). Training goes on and everything is written to "
                "files; the same command, run when MLflow is back, brings it up to date.",
                file=sys.stderr,
                flush=True,
            )


def _is_busy(error: Exception) -> bool:
    busy = ErrorCode.Name(TEMPORARILY_UNAVAILABLE)
    return isinstance(error, MlflowException) and error.error_code == busy
