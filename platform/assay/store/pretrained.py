"""Pretrained models, as transformers writes them: which one a cell means, and where it lies."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from assay.chemistry.extras import needing
from assay.config import Settings
from assay.errors import DataError

FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Configuration, tokenizer, weights."""
FROM_DISK: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""For every `from_pretrained`. Unless it is refused, Python that comes with a model is run, after a
question on the terminal."""


class PretrainedSettings(Settings):
    """Names the weights; a subclass adds how they are used."""

    key: ClassVar[str]
    """Of these settings in a cell, for errors."""

    model: str
    """The absolute path of a folder with weights and tokenizer, or its name on the hub."""
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """The commit on the hub, without which a name would not say which weights."""
    digest: str | None = None
    """Of the files in a folder, read where a cell is made: a cell is of these weights."""

    @model_validator(mode="before")
    @classmethod
    def _digest_of_what_is_here(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and not given.get("digest"):
            folder = Path(str(given.get("model", "")))
            if folder.is_absolute() and folder.is_dir():
                return {**given, "digest": model_digest(folder)}
        return given

    @model_validator(mode="after")
    def _says_which_weights(self) -> Self:
        is_folder = Path(self.model).is_absolute()
        if is_folder and self.digest is None:
            raise ValueError(f"{self.key}.model {self.model} is no folder here")
        if is_folder and self.revision is not None:
            raise ValueError(f"{self.key}.revision belongs to a model on the hub")
        if not is_folder and self.revision is None:
            raise ValueError(
                f"{self.key}.model {self.model}: give an absolute path, or the commit of a model "
                f"on the hub as {self.key}.revision"
            )
        return self


def model_digest(folder: Path) -> str:
    """Return 16 hex digits over the files of a model: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def folder_of(settings: PretrainedSettings, extra: str) -> tuple[Path, str]:
    """Return where a model's files lie, fetched from the hub if need be, and their digest.

    Args:
        settings: Which model.
        extra: Of assay-bench, that installs what fetches it.

    Raises:
        DataError: the model is not to be had, is no safetensors, or is another than the cell's.
        MachineError: transformers is not installed.
    """
    folder = _folder(settings, extra)
    digest = model_digest(folder)
    if settings.digest is not None and settings.digest != digest:
        raise DataError(
            f"{folder}: is another model ({digest}) than the cell was made for "
            f"({settings.digest}); give that one, or make a new cell"
        )
    return folder, digest


def _folder(settings: PretrainedSettings, extra: str) -> Path:
    local = Path(settings.model)
    if not local.is_dir():
        with needing(extra):
            from huggingface_hub import snapshot_download

        try:
            local = Path(
                snapshot_download(
                    settings.model, revision=settings.revision, allow_patterns=list(FILES)
                )
            )
        except Exception as error:  # the hub raises many kinds
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"{settings.model}: neither a folder here nor to be had from the hub ({reason}); "
                "give the path of a folder with its weights"
            ) from error
    if not any(local.glob("*.safetensors")):
        raise DataError(
            f"{local}: holds no weights as safetensors; convert them "
            "(model.save_pretrained(folder)), pickles are not read"
        )
    return local
