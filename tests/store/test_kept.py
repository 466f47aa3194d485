import shutil

import pytest
import torch

from assay.errors import DataError
from assay.store.kept import kept

ROWS = torch.arange(6.0).view(2, 3)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return tmp_path / "kept" / "rows"


def never():
    raise AssertionError("was computed again")


def test_what_was_computed_once_is_read_again():
    assert torch.equal(kept("rows", "a" * 16, lambda: ROWS), ROWS)
    assert torch.equal(kept("rows", "a" * 16, never), ROWS)


def test_what_follows_from_something_else_is_computed():
    kept("rows", "a" * 16, lambda: ROWS)

    assert torch.equal(kept("rows", "b" * 16, lambda: ROWS + 1), ROWS + 1)


def test_a_file_that_was_made_of_something_else_is_refused(cache):
    kept("rows", "a" * 16, lambda: ROWS)
    shutil.copy(cache / f"{'a' * 16}.safetensors", cache / f"{'b' * 16}.safetensors")

    with pytest.raises(DataError, match=r"was made of something else \(a{16}\); delete it"):
        kept("rows", "b" * 16, never)


def test_a_damaged_file_is_refused(cache):
    kept("rows", "a" * 16, lambda: ROWS)
    path = cache / f"{'a' * 16}.safetensors"
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(DataError, match="cannot be read"):
        kept("rows", "a" * 16, never)
