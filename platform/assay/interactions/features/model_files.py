"""The files of a pretrained encoder of text, and what names them."""

import hashlib
from pathlib import Path

FILES = ("*.json", "*.txt", "*.safetensors")
"""Configuration, tokenizer, weights."""


def model_digest(folder: Path) -> str:
    """Return 16 hex digits over the files of a model: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
