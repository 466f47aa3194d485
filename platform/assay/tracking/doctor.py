"""What works of MLflow: where runs go, whether it answers, and whether we may enter."""

import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from assay.doctor import Finding, Section
from assay.redact import scrubbed

ANSWER_SECONDS = 10.0
TITLE = "MLflow"


def sections(storage: Path) -> list[Section]:
    """Run the checks of this module for the run store `storage`."""
    try:
        import mlflow

        from assay.tracking import Destination
    except (ImportError, OSError) as error:
        fault = f"{type(error).__name__}: {error}"
        return [Section(TITLE, [Finding("MLflow", "broken", fault, "make setup")])]
    destination = Destination.of(storage, "doctor", "")
    version = Finding("MLflow", "ok", mlflow.__version__)
    return [Section(TITLE, [version, *store(destination.uri, destination.shown)])]


def store(uri: str, shown: str) -> list[Finding]:
    """Check the place that `uri` names; people see `shown`."""
    from assay.tracking.destination import settle_environment

    settle_environment()
    if uri.startswith(("http://", "https://")):
        return server(uri, shown)
    return [database(uri, shown)]


def database(uri: str, shown: str) -> Finding:
    """Check that the database opens, and that its tables are those of this MLflow."""
    from mlflow.store.db import utils
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return Finding("store", "ok", f"{shown}: made when a suite first runs")
    try:
        engine = create_engine(uri)
        try:
            found = utils._get_schema_version(engine)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError, ValueError) as error:
        another = "export MLFLOW_TRACKING_URI=sqlite:////another/mlflow.db"
        return Finding("store", "broken", f"{shown}: {_fault(error, uri)}", another)
    wanted = utils._get_latest_schema_revision()
    if found is None:
        return Finding("store", "ok", f"{shown}: empty; tables are made when a suite first runs")
    if found != wanted:
        what = f"{shown}: its tables are of another MLflow ({found}, needed {wanted})"
        return Finding("store", "broken", what, f"mlflow db upgrade {_named(uri)}")
    return Finding("store", "ok", f"{shown}: opens, tables up to date")


def server(uri: str, shown: str) -> list[Finding]:
    """Check that the server is there, and that it lets us in."""
    try:
        with urllib.request.urlopen(f"{_bare(uri)}/health", timeout=ANSWER_SECONDS) as answer:
            answer.read(64)
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403, 404):
            return [_down(shown, f"answers {error.code} {error.reason}")]
    except (OSError, ValueError) as error:
        return [_down(shown, _fault(error, uri))]
    return [Finding("server", "ok", f"{shown}: answers"), entry(uri)]


def entry(uri: str) -> Finding:
    """Check that the credentials, if any are asked for, are taken."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    given = bool(os.environ.get("MLFLOW_TRACKING_USERNAME") or os.environ.get(
        "MLFLOW_TRACKING_TOKEN") or urlsplit(uri).username)  # fmt: skip
    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except (MlflowException, RequestException) as error:
        return _refused(_fault(error, uri), given=given)
    return Finding("entry", "ok", "credentials are taken" if given else "no password is asked for")


def _refused(fault: str, *, given: bool) -> Finding:
    if "401" in fault or "UNAUTHENTICATED" in fault or "not authenticated" in fault:
        what = "user or password is wrong" if given else "asks for a user and a password"
        mend = "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…"
        return Finding("entry", "broken", what, mend)
    if "Invalid Host" in fault:
        mend = "mlflow server --allowed-hosts …  (or MLFLOW_SERVER_ALLOWED_HOSTS there)"
        return Finding("entry", "broken", "the server does not know itself by this name", mend)
    return Finding("entry", "broken", fault, "look at the server's log")


def _down(shown: str, fault: str) -> Finding:
    what = f"{shown}: {fault}"
    return Finding("server", "broken", what, "start it, or unset MLFLOW_TRACKING_URI")


def _bare(uri: str) -> str:
    """Return the URI without credentials, which urllib does not understand."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl().rstrip("/")


def _named(uri: str) -> str:
    """Return how a command names the store without showing what is secret in it."""
    return '"$MLFLOW_TRACKING_URI"' if os.environ.get("MLFLOW_TRACKING_URI") else uri


def _fault(error: Exception, uri: str) -> str:
    return " ".join(scrubbed(f"{type(error).__name__}: {error}", uri).split())[:240]
