"""Files that protocols need are checked, kept once, and checked again when they are opened."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assay.errors import ConfigError, DataError
from assay.store import assets as module
from assay.store.assets import Origin, content_digest, open_assets, prepare

CONTENT = b"one\ntwo\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Words(module.Assets):
    """Assets of one file, which may come under two names."""

    name = "words"
    title = "two words"
    licence = "CC0"
    folder = "words_here"
    digest = content_digest({"kept.txt": CONTENT})

    def __init__(self, url):
        self.origins = {
            "list": (Origin("old.txt", SHA256), Origin("published.txt", SHA256, url)),
        }

    def contents(self, found):
        return {"kept.txt": found["list"].read_bytes()}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = CONTENT if self.path == "/good" else b"something else"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    found.server_close()


@pytest.fixture
def words(tmp_path, monkeypatch):
    """The catalog knows `words`, nothing is prepared, and nothing may be fetched."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setattr(module.catalog, "ASSETS", {"words": "here"})
    held = Words("http://127.0.0.1:9/refused")
    monkeypatch.setattr(module.catalog, "load", {"here": held}.__getitem__)
    return held


def folder_with(path, name, content=CONTENT):
    path.mkdir(exist_ok=True)
    (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["old.txt", "published.txt"])
def test_a_folder_is_a_source_under_either_name(words, tmp_path, name):
    found = prepare("words", str(folder_with(tmp_path / "mine", name)))

    assert (found.folder / "kept.txt").read_bytes() == CONTENT
    assert open_assets("words") == found
    assert [row.digest for row in module.catalogued()] == [words.digest]


def test_what_is_prepared_needs_no_source_again(words, tmp_path):
    source = folder_with(tmp_path / "mine", "old.txt")
    first = prepare("words", str(source))
    (source / "old.txt").unlink()

    assert prepare("words") == first


def test_assay_data_comes_before_the_network(words, tmp_path, monkeypatch):
    folder_with(tmp_path / "words_here", "old.txt")
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))

    assert prepare("words").digest == words.digest


def test_opening_prepares_what_assay_data_holds(words, tmp_path, monkeypatch):
    folder_with(tmp_path / "words_here", "old.txt")
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))

    assert (open_assets("words").folder / "kept.txt").exists()


def test_without_a_source_they_are_fetched(words, server):
    words.origins["list"] = (Origin("published.txt", SHA256, f"{server}/good"),)

    assert (prepare("words").folder / "kept.txt").read_bytes() == CONTENT


def test_a_published_file_that_changed_is_refused(words, server):
    words.origins["list"] = (Origin("published.txt", SHA256, f"{server}/bad"),)

    with pytest.raises(DataError, match="SHA-256"):
        prepare("words")


def test_a_file_in_a_folder_that_is_another_is_refused(words, tmp_path):
    source = folder_with(tmp_path / "mine", "old.txt", b"three\n")

    with pytest.raises(DataError, match=r"old\.txt: is not the published file"):
        prepare("words", str(source))
    assert module.catalogued()[0].digest is None


def test_a_folder_without_it_says_what_it_lacks(words, tmp_path):
    with pytest.raises(DataError, match=r"holds no old\.txt or published\.txt"):
        prepare("words", str(folder_with(tmp_path / "mine", "x.txt")))


def test_a_url_is_no_source(words):
    with pytest.raises(ConfigError, match="prepared from a folder"):
        prepare("words", "https://example.org/words")


def test_what_is_not_prepared_says_what_to_type(words):
    with pytest.raises(DataError, match=r"words: not prepared; run `assay data prepare words`"):
        open_assets("words")


def test_damage_is_found_and_mended(words, tmp_path):
    source = folder_with(tmp_path / "mine", "old.txt")
    found = prepare("words", str(source))
    (found.folder / "kept.txt").write_bytes(b"on\n")

    with pytest.raises(DataError, match="is damaged; run"):
        module.verify("words")
    prepare("words", str(source))

    assert module.verify("words") == found


def test_what_a_killed_preparation_left_is_cleared(words, tmp_path):
    left = tmp_path / "cache" / "words" / ".building-x"
    left.mkdir(parents=True)

    prepare("words", str(folder_with(tmp_path / "mine", "old.txt")))

    assert not left.exists()


def test_an_unknown_name_is_met_with_the_nearest(words):
    with pytest.raises(ConfigError, match="did you mean 'words'"):
        open_assets("word")
