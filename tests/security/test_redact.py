import pytest

from assay.redact import scrubbed, without_secrets
from assay.tracking import Destination


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ada:pw@mlflow:5000", "http://***@mlflow:5000"),
        ("postgresql+psycopg2://ada:p/w?x#y@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("postgresql://ada:p@w@db/mlflow", "postgresql://***@db/mlflow"),
        ("postgresql://db/mlflow?user=ada&password=pw", "postgresql://db/mlflow?user=***&password=***"),
        ("https://host/file?sig=pw#part", "https://host/file?sig=***#part"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////home/ada@lab/runs/mlflow.db", "sqlite:////home/ada@lab/runs/mlflow.db"),
        ("/data/qm9?x=1", "/data/qm9?x=1"),
        ("rules", "rules"),
        ("http://[bad:pw@host", "http://***@host"),
    ],
)  # fmt: skip
def test_passwords_and_signatures_are_hidden_and_the_rest_is_kept(address, shown):
    assert without_secrets(address) == shown


def test_an_error_that_quotes_the_address_or_its_password_is_cleaned():
    address = "postgresql://ada:p%40ss@db/mlflow"
    text = f"could not open {address}: 'p%40ss' / 'p@ss' is wrong"
    assert scrubbed(text, address) == (
        "could not open postgresql://***@db/mlflow: '***' / '***' is wrong"
    )
    assert scrubbed("fine", "sqlite:////x") == "fine"


@pytest.mark.parametrize("said", ["password=canary/1", "password=canary%2F1", "'canary%2F1'"])
def test_an_error_that_quotes_a_value_of_the_query_is_cleaned(said):
    address = "postgresql://h/db?user=u&password=canary%2F1"
    cleaned = scrubbed(f"bad dsn {said} of user u", address)
    assert "canary" not in cleaned
    assert cleaned.startswith("bad dsn ")
    assert cleaned.endswith("of user ***")


def test_a_destination_shows_no_password(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://db/mlflow?password=canary")
    destination = Destination.of(tmp_path, "suite", "")
    assert "canary" not in destination.shown + destination.how_to_open
