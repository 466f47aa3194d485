"""A download resumes, is checked, and is put in place whole."""

import contextlib
import errno
import hashlib
import io
import re
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assay.errors import DataError, MachineError
from assay.store import fetch as module
from assay.store.fetch import archive_members, fetch

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at every path; notes what is asked, and can be made to misbehave."""

    ranges: list[str | None]
    sent: int
    breaks_after: int | None = None
    understands_ranges = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.sent = [], 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = 0
        if asked and self.server.understands_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        body = CONTENT[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: self.server.breaks_after]
        self.server.sent += len(body)  # first: the client may be done before the write returns
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def quiet(phase, fraction):
    pass


def test_a_file_arrives_and_is_watched(server, tmp_path):
    seen = []
    path = fetch(server.url, SHA256, tmp_path / "a" / "file", lambda *now: seen.append(now))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("download", 1.0)
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    fetch(server.url, SHA256, tmp_path / "file", quiet)
    assert server.ranges == []


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.breaks_after = 700_000
    with pytest.raises(DataError, match=r"700,000 of 1,280,000 bytes arrived.*try again"):
        fetch(server.url, SHA256, tmp_path / "file", quiet)
    assert not (tmp_path / "file").exists()
    server.breaks_after = None
    assert fetch(server.url, SHA256, tmp_path / "file", quiet).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=700000-"]
    assert server.sent == len(CONTENT)


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.understands_ranges = False
    (tmp_path / "file.part").write_bytes(b"old" * 9)
    assert fetch(server.url, SHA256, tmp_path / "file", quiet).read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_used(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch(server.url, SHA256, tmp_path / "file", quiet).read_bytes() == CONTENT
    assert server.sent == 0


def test_a_wrong_checksum_names_both_and_leaves_nothing(server, tmp_path):
    wrong = "0" * 64
    with pytest.raises(DataError, match=f"SHA-256 is {SHA256}, expected {wrong}"):
        fetch(server.url, wrong, tmp_path / "file", quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_served_is_one_sentence(server, tmp_path):
    url = server.url.replace("/file", "/missing")
    with pytest.raises(DataError, match=f"{re.escape(url)}: the server answers 404 Not Found"):
        fetch(url, SHA256, tmp_path / "file", quiet)


def test_a_server_that_is_not_there_is_one_sentence(server, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        url = f"http://127.0.0.1:{closed.server_address[1]}/file"
    with pytest.raises(DataError, match=r"cannot be reached \(.*refused"):
        fetch(url, SHA256, tmp_path / "file", quiet)


def test_a_full_disk_is_one_sentence_and_keeps_the_part(server, tmp_path, monkeypatch):
    def full(response, part, *_):
        part.write_bytes(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_append", full)
    with pytest.raises(MachineError, match="no space left on the device"):
        fetch(server.url, SHA256, tmp_path / "file", quiet)
    assert (tmp_path / "file.part").read_bytes() == b"some"


def tar_of(path, members, mode="w:bz2"):
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_no_member_of_an_archive_reaches_the_disk(tmp_path, mode):
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    archive = folder / "archive.tar"
    tar_of(archive, {"../../evil": b"1", "/tmp/evil-of-assay": b"2", "ok/fine": b"3"}, mode)
    members = list(archive_members(archive))
    assert members == [("evil", b"1"), ("evil-of-assay", b"2"), ("fine", b"3")]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["archive.tar", "deep", "er"]


def test_an_archive_that_is_cut_off_or_none_is_one_sentence(tmp_path):
    archive = tmp_path / "archive.tar.bz2"
    tar_of(archive, {"a": bytes(200_000)})
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read as an archive"):
        list(archive_members(archive))
    archive.write_bytes(b"not an archive")
    with pytest.raises(DataError, match="cannot be read as an archive"):
        list(archive_members(archive))
    with pytest.raises(DataError, match=r"cannot be read as an archive .*No such file"):
        list(archive_members(tmp_path / "nowhere.tar"))


def test_without_a_published_checksum_a_file_is_still_whole_and_fetched_once(server, tmp_path):
    destination = tmp_path / "file"
    server.breaks_after = 1000
    with pytest.raises(DataError, match="the connection broke"):
        fetch(server.url, None, destination, lambda phase, done: None)
    assert not destination.exists()
    server.breaks_after = None
    for _ in range(2):
        fetch(server.url, None, destination, lambda phase, done: None)
    assert destination.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-"]
