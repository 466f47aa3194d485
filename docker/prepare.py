"""What the stack needs once: `bucket` makes MLflow's bucket, `user` the account of the Ray nodes.

Both may be done again without harm. The account is not the administrator's: what runs on a node
can write runs, but no other account.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

USER = "assay"


def make_bucket() -> None:
    """Make the bucket `$S3_BUCKET` at `$MLFLOW_S3_ENDPOINT_URL`, unless it is there."""
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    name = os.environ.get("S3_BUCKET", "mlflow")
    if name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        return
    client.create_bucket(Bucket=name)


def make_user() -> None:
    """Make the account that the Ray nodes use at `$MLFLOW_TRACKING_URI`, unless it is there."""
    server = os.environ["MLFLOW_TRACKING_URI"]
    administrator = base64.b64encode(f"admin:{_secret('mlflow_admin_password')}".encode())
    request = urllib.request.Request(
        f"{server}/api/2.0/mlflow/users/create",
        data=json.dumps({"username": USER, "password": _secret("mlflow_user_password")}).encode(),
        headers={
            "Authorization": f"Basic {administrator.decode()}",
            "Content-Type": "application/json",
        },
    )
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        if json.loads(error.read()).get("error_code") != "RESOURCE_ALREADY_EXISTS":
            raise


def _secret(name: str) -> str:
    return (Path(os.environ.get("SECRETS", "/run/secrets")) / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    {"bucket": make_bucket, "user": make_user}[sys.argv[1]]()
