"""A place is a folder or a bucket: the same from above, and one sentence where it fails."""

import types

import pytest

from assay.errors import AssayError, DataError, MachineError
from assay.store.shards_place import MissingFileError, Place, chosen_place
from tests.store.s3_for_tests import BUCKET, local_s3


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        yield Place.of(str(tmp_path / "place"))
        return
    with local_s3():
        yield Place.of(f"{BUCKET}/a/prefix/")


def test_what_is_written_is_read(place):
    below = place / "mini@64"
    below.write("x.safetensors", b"one")
    below.write("x.safetensors", b"two")
    (place / "other").write("y", b"")

    assert below.read("x.safetensors") == b"two"
    assert (place / "other").read("y") == b""
    assert place.folders() == ["mini@64", "other"]


def test_a_file_that_is_not_there_is_named(place):
    place.write("there", b"")
    with pytest.raises(MissingFileError, match=rf"^{place.root}/away: is missing; "):
        place.read("away")


def test_a_bucket_that_does_not_exist_is_named():
    with local_s3():
        nowhere = Place.of("s3://no-such-bucket/prefix")
        for ask in (lambda: nowhere.read("x"), lambda: nowhere.write("x", b""), nowhere.folders):
            with pytest.raises(DataError, match="there is no bucket no-such-bucket; make it") as e:
                ask()
            assert not isinstance(e.value, MissingFileError)


def test_a_bucket_that_may_not_be_used_is_one_sentence_without_credentials(monkeypatch):
    with local_s3():
        # From now on the server checks credentials, and knows none.
        monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
        place = Place.of(f"{BUCKET}/prefix")
        for ask in (lambda: place.read("x"), lambda: place.write("x", b""), place.folders):
            with pytest.raises(DataError, match=r"access is denied; check the AWS cred") as error:
                ask()
            assert "canary" not in str(error.value)


def test_a_server_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    with pytest.raises(DataError, match="the server cannot be reached; check AWS_ENDPOINT_URL"):
        Place.of(BUCKET).read("x")


def test_a_write_that_fails_without_a_code_of_s3_is_said_to_be_a_write(monkeypatch):
    def refuse(name):
        raise OSError("Unable to parse the answer")

    bucket = types.SimpleNamespace(open_output_stream=refuse, open_input_stream=refuse)
    monkeypatch.setattr("assay.store.shards_place._s3", lambda: bucket)
    with pytest.raises(DataError, match=r"/x: cannot be written \(OSError\)"):
        Place.of(BUCKET).write("x", b"")
    with pytest.raises(DataError, match=r"/x: cannot be read \(OSError\)"):
        Place.of(BUCKET).read("x")


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    place = Place.of(str(tmp_path / "file"))
    with pytest.raises(DataError, match="Not a directory"):
        place.folders()
    with pytest.raises(MachineError, match="cannot be written"):
        place.write("x", b"")


@pytest.mark.parametrize("location", ["s3:/bucket", "s3://", "gs://bucket", "http://x/y"])
def test_another_kind_of_location_is_refused(location):
    with pytest.raises(DataError, match=r"is neither a folder nor s3://bucket/prefix"):
        Place.of(location)


def test_credentials_in_a_location_are_refused():
    with pytest.raises(AssayError):
        Place.of("s3://id:secret@bucket/prefix")


def test_the_location_has_to_be_set(monkeypatch):
    monkeypatch.delenv("ASSAY_SHARDS", raising=False)
    with pytest.raises(DataError, match="ASSAY_SHARDS is not set: set it to"):
        chosen_place()


def test_a_local_location_is_absolute_and_knows_the_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Place.of("here").root == str(tmp_path / "here")
    assert Place.of("~/there").root == str(tmp_path / "home" / "there")
