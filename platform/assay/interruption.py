"""Ctrl-C while a cell is trained: the step is finished and saved, then everything stops."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from assay.runner import Manner, Report, Watch


class Interruption:
    """Heeds Ctrl-C for as long as it is entered, on the main thread.

    The first one asks the training to save its state; one more, or one at any other time, stops at
    once. Both end in a KeyboardInterrupt.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._is_training = self._asked = self._saved = False
        self._before: Any = signal.SIG_DFL

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    @property
    def manner(self) -> Manner:
        """How a cell is taken up that can be stopped so."""
        return Manner(warned=self._warned)

    def watching(self, watch: Watch) -> Watch:
        """Return a watch that knows when there is nothing to save."""

        def watched(report: Report) -> None:
            self._is_training = report.phase == "train"
            if self._asked and not self._is_training:
                raise KeyboardInterrupt
            watch(report)

        return watched

    def _warned(self) -> bool:
        """Return whether the loop is to save; asked again, it has."""
        if self._saved:
            raise KeyboardInterrupt
        self._saved = self._asked
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._is_training:
            raise KeyboardInterrupt
        self._asked = True
        self._say("Stopping after this step. Ctrl-C again stops at once.")
