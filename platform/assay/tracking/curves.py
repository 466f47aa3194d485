"""A cell's metrics.jsonl, read as it grows."""

import json
from pathlib import Path
from typing import Any

from assay.errors import DataError


class Curves:
    """Reads the lines that were added since the last look; a line without its end waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the rows that are whole and were not returned before.

        Raises:
            DataError: a whole line is not JSON.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        try:
            rows = [json.loads(line) for line in whole.splitlines()]
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self._path}: holds a line that is not JSON ({error})") from error
        self._offset += len(whole)
        return rows
