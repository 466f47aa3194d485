"""WordNet is taken out of an archive by name, whatever paths and links the archive holds."""

import io
import tarfile

import pytest

from assay.captioning.metrics.assets import CAPTION_METRICS, LEXICON
from assay.errors import DataError
from assay.store import assets
from assay.store.assets import content_digest


def archive(path, names=LEXICON, folder="corpora/wordnet", extra=()):
    with tarfile.open(path, "w:xz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
        for member in extra:
            tar.addfile(member)
    return path


def package(path, inner, name=b"data.tar.xz"):
    """A Debian package: an `ar` archive of `debian-binary` and the tar archive."""
    parts = b"!<arch>\n"
    for member, content in ((b"debian-binary", b"2.0\n\n"[:3]), (name, inner)):
        parts += member.ljust(16) + b" " * 32 + str(len(content)).encode().ljust(10) + b"`\n"
        parts += content + b"\n" * (len(content) % 2)
    path.write_bytes(parts)
    return path


def contents(tmp_path, wordnet):
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_bytes(b"[PAD]\n")
    return CAPTION_METRICS.contents({"vocabulary": vocabulary, "wordnet": wordnet})


def test_a_tar_and_a_debian_package_give_the_same(tmp_path):
    tar = archive(tmp_path / "a.tar.xz")
    deb = package(tmp_path / "a.deb", tar.read_bytes())

    held = contents(tmp_path, tar)

    assert set(held) == {"vocab.txt", "lexnames", *LEXICON}
    assert all(held[name] == name.encode() for name in LEXICON)
    assert content_digest(held) == content_digest(contents(tmp_path, deb))


@pytest.mark.parametrize("folder", ["../../outside", "/etc", "."])
def test_no_member_is_written_anywhere(tmp_path, folder):
    (tmp_path / "here").mkdir()
    tar = archive(tmp_path / "here" / "a.tar.xz", folder=folder)

    held = contents(tmp_path / "here", tar)

    assert held["data.noun"] == b"data.noun"
    assert {path.name for path in tmp_path.rglob("*")} == {"here", "a.tar.xz", "words.txt"}


def test_a_link_is_no_file_of_wordnet(tmp_path):
    link = tarfile.TarInfo("corpora/wordnet/data.noun")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    names = [name for name in LEXICON if name != "data.noun"]

    with pytest.raises(DataError, match=r"lacks data\.noun of WordNet"):
        contents(tmp_path, archive(tmp_path / "a.tar.xz", names, extra=[link]))


def test_a_package_without_data_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no data\.tar\.xz"):
        contents(tmp_path, package(tmp_path / "a.deb", b"x", b"control.tar.xz"))


@pytest.mark.data
def test_the_real_files_are_the_pinned_ones(caption_cache, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(caption_cache))

    found = assets.open_assets("caption-metrics")

    assert found.digest == CAPTION_METRICS.digest
    lines = (found.folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0]) == (31_090, "[PAD]")
