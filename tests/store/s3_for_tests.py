"""An S3 server on this machine."""

import contextlib
import os
import urllib.request
from collections.abc import Iterator
from unittest import mock

BUCKET = "s3://assay-tests"


@contextlib.contextmanager
def local_s3() -> Iterator[str]:
    """Start an S3 server on 127.0.0.1 with one bucket and make it that of the AWS variables."""
    from moto.server import ThreadedMotoServer
    from pyarrow.fs import S3FileSystem

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "canary-id",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        with mock.patch.dict(os.environ, variables):
            maker = S3FileSystem(
                scheme="http",
                endpoint_override=endpoint.removeprefix("http://"),
                allow_bucket_creation=True,
            )
            maker.create_dir(BUCKET.removeprefix("s3://"))
            yield endpoint
    finally:
        # What a server of moto holds belongs to the process, not to the server.
        urllib.request.urlopen(f"{endpoint}/moto-api/reset", data=b"").close()
        server.stop()
