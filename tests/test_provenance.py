"""Where a number comes from."""

import subprocess

import pytest

import assay
from assay.provenance import git_state


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Somebody's repository, with a copy of the package in a folder of it."""

    def git(*words):
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    package = tmp_path / "env" / "assay"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (tmp_path / ".gitignore").write_text("env/\n")
    git("init")
    git("add", ".gitignore")
    git("commit", "-m", "Mine")
    monkeypatch.setattr(assay, "__file__", str(package / "__init__.py"))
    return git


def test_a_commit_is_named_of_the_repository_that_the_package_is_part_of(repository):
    assert git_state.__wrapped__() == (None, None)

    repository("add", "--force", "env")
    repository("commit", "-m", "Theirs")

    commit, dirty = git_state.__wrapped__()
    assert len(commit) == 40
    assert dirty is False
