"""Where shards lie: a folder, or `s3://bucket/prefix` on Amazon or any server that speaks S3.

The endpoint and the credentials of S3 are those of the usual AWS variables; they are never put
into a sentence or a log.
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from assay.errors import DataError
from assay.result import write_bytes

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

VARIABLE = "ASSAY_SHARDS"
_SECONDS_TO_CONNECT = 10
_SECONDS_OF_SILENCE = 60
_ATTEMPTS = 4


class MissingFileError(DataError):
    """There is no such file at a place that is there."""


@dataclass(frozen=True)
class Place:
    """A folder of files on a disk or in a bucket."""

    root: str
    """An absolute path, or `s3://bucket/prefix` without a slash at its end."""

    @classmethod
    def of(cls, location: str) -> Self:
        """Return the place that a user names.

        Raises:
            DataError: it is a URL other than s3://bucket.
        """
        if not re.match(r"[A-Za-z0-9]+:", location):
            return cls(str(Path(location).expanduser().absolute()))
        if not re.fullmatch(r"s3://[a-z0-9.-]+(/.*)?", location):
            raise DataError(
                f"{location}: is neither a folder nor s3://bucket/prefix; correct {VARIABLE} or "
                "--to"
            )
        return cls(location.rstrip("/"))

    def __truediv__(self, name: str) -> Self:
        """Return the folder `name` below."""
        return type(self)(f"{self.root}/{name}")

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            MissingFileError: there is none.
            DataError: it cannot be read.
        """
        path = f"{self.root}/{name}"
        try:
            if self._bucket is None:
                return Path(path).read_bytes()
            with _s3().open_input_stream(path.removeprefix("s3://")) as file:
                return file.read()
        except OSError as error:
            raise self._explained(path, error) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file: what stands under its name is never a part of it.

        Raises:
            MachineError: the folder cannot be written.
            DataError: the bucket cannot be written.
        """
        path = f"{self.root}/{name}"
        if self._bucket is None:
            write_bytes(Path(path), content)
            return
        try:
            with _s3().open_output_stream(path.removeprefix("s3://")) as file:
                file.write(content)
        except OSError as error:
            raise self._explained(path, error, "written") from error

    def folders(self) -> list[str]:
        """Return the names of the folders here, sorted.

        Raises:
            DataError: there is no such place, or it cannot be read.
        """
        try:
            if self._bucket is None:
                return sorted(path.name for path in Path(self.root).iterdir() if path.is_dir())
            from pyarrow.fs import FileSelector, FileType

            found = _s3().get_file_info(FileSelector(self.root.removeprefix("s3://")))
            return sorted(info.base_name for info in found if info.type is FileType.Directory)
        except OSError as error:
            raise self._explained(self.root, error) from error

    @property
    def _bucket(self) -> str | None:
        inside = self.root.removeprefix("s3://")
        return None if inside == self.root else inside.partition("/")[0]

    def _explained(self, path: str, error: OSError, done: str = "read") -> DataError:
        """Say what is wrong and what to do; the server's own words may tell too much."""
        kind = re.search(r"AWS Error (\w+) during (\w+)", str(error))
        named = kind[1] if kind else ""
        missing = isinstance(error, FileNotFoundError)
        if named == "NO_SUCH_BUCKET" or (missing and not self._bucket_is_there()):
            return DataError(
                f"{path}: there is no bucket {self._bucket}; make it, or correct {VARIABLE} or --to"
            )
        if missing:
            return MissingFileError(
                f"{path}: is missing; copy the data set again, or correct {VARIABLE}"
            )
        if named in ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH"):
            what = "access is denied; check the AWS credentials and what the bucket allows them"
        elif named == "NETWORK_CONNECTION":
            what = "the server cannot be reached; check AWS_ENDPOINT_URL and the network"
        elif kind:
            what = f"S3 answers {named} to {kind[2]}; check the AWS variables, or try again"
        else:
            what = f"cannot be {done} ({error.strerror or type(error).__name__}); see to it"
        return DataError(f"{path}: {what}")

    def _bucket_is_there(self) -> bool:
        if self._bucket is None:
            return True
        from pyarrow.fs import FileType

        try:
            return _s3().get_file_info(self._bucket).type is not FileType.NotFound
        except OSError:
            return True  # it may not be asked about, which is no reason to deny it


def chosen_place() -> Place:
    """Return the place that ASSAY_SHARDS names.

    Raises:
        DataError: it is unset, or is no place.
    """
    location = os.environ.get(VARIABLE)
    if not location:
        raise DataError(
            f"{VARIABLE} is not set: set it to the folder or s3://bucket/prefix that holds the "
            "sharded data sets"
        )
    return Place.of(location)


def _s3() -> "S3FileSystem":
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _file_system(endpoint, os.environ.get("AWS_ACCESS_KEY_ID"))


@cache
def _file_system(endpoint: str | None, key_id: str | None) -> "S3FileSystem":
    """Of this endpoint and these credentials, which pyarrow takes from the environment itself."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    url = urlsplit(endpoint or "https://")
    return S3FileSystem(
        scheme=url.scheme,
        endpoint_override=url.netloc + url.path.rstrip("/") or None,
        connect_timeout=_SECONDS_TO_CONNECT,
        request_timeout=_SECONDS_OF_SILENCE,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )
