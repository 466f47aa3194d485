"""A small set of molecules and a catalogued data set that reads them from a file."""

from pathlib import Path

import numpy as np

from assay.errors import DataError
from assay.store.sets import Built


def small_arrays() -> dict[str, np.ndarray]:
    """Three molecules of one, two and three atoms: O, HF-like, and C with two others."""
    return {
        "positions": np.arange(18, dtype=np.float32).reshape(6, 3),
        "numbers": np.array([8, 1, 9, 6, 1, 7], np.uint8),
        "offsets": np.array([0, 1, 3, 6]),
        "ids": np.array([7, 8, 9]),
        "split": np.array([0, 2, 1], np.uint8),
    }


class Toy:
    """Reads the first id from a text file; appends a line to `<file>.builds` at each build."""

    name = "toy"
    title = "toy: three molecules"
    licence = "CC0-1.0"
    citation = "none"
    version = 1
    upstream = "https://example.invalid/toy"

    def build(self, source, watch) -> Built:
        path = Path(source) / "first_id" if Path(source).is_dir() else Path(source)
        if not path.exists():
            raise DataError(f"{source}: cannot be reached")
        with path.with_name("builds").open("a") as log:
            log.write("built\n")
        watch("read", 1.0)
        arrays = small_arrays()
        arrays["ids"] = arrays["ids"] + int(path.read_text())
        return Built(arrays, f"three molecules from {path.read_text()}")


TOY = Toy()
