"""A small set of molecules and a catalogued data set that reads them from a file."""

from pathlib import Path

import numpy as np

from assay.errors import DataError
from assay.store.sets import Built, DataSet


def small_arrays() -> dict[str, np.ndarray]:
    """Three molecules of one, two and three atoms: O, HF-like, and C with two others."""
    return {
        "positions": np.arange(18, dtype=np.float32).reshape(6, 3),
        "numbers": np.array([8, 1, 9, 6, 1, 7], np.uint8),
        "offsets": np.array([0, 1, 3, 6]),
        "ids": np.array([7, 8, 9]),
        "split": np.array([0, 2, 1], np.uint8),
    }


class Toy(DataSet):
    """Reads the first id from a text file; appends a line to `<file>.builds` at each build."""

    name = "toy"
    title = "toy: three molecules"
    licence = "CC0-1.0"
    citation = "none"
    version = 1
    upstream = "https://example.invalid/toy"
    kind = "molecules"

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


def many_molecules(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Molecules of H C N O F, the smallest first; every tenth is validation, every next test."""
    random = np.random.default_rng(seed)
    sizes = np.sort(random.integers(1, 9, count))
    split = np.zeros(count, np.uint8)
    split[8::10], split[9::10] = 1, 2
    return {
        "positions": random.normal(size=(sizes.sum(), 3)).astype(np.float32),
        "numbers": random.choice([1, 6, 7, 8, 9], sizes.sum()).astype(np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(sizes)]),
        "ids": np.arange(100, 100 + count),
        "split": split,
    }


class Many(DataSet):
    """Made by rules: `COUNT` molecules, with one array that a sharded copy keeps."""

    name = "many"
    title = "many molecules"
    licence = "CC0-1.0"
    citation = "none"
    version = 1
    upstream = None
    seed = 0

    def build(self, source, watch) -> Built:
        return Built(many_molecules(COUNT, self.seed), f"{COUNT} molecules")

    def about_train(self, packed, watch):
        return {"first_ids": packed.ids[packed.split_indices("train")][:3]}


COUNT = 130
MANY = Many()
