"""The fenced blocks of README and docs."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from tests.test_cli import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
SHELL = ("", "bash")
"""What stands behind the fence of commands."""
FENCE = re.compile(r"^( *)(```+)([^`\n]*)$")


@dataclass(frozen=True)
class Block:
    page: str
    """Its path in the repository."""
    line: int
    """Of the fence that opens it, from 1."""
    info: str
    """What stands behind that fence, such as `python title="a.py"`."""
    text: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """Yield the blocks of a page, those within lists too, and refuse one that is not closed."""
    opened: tuple[int, re.Match[str]] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, inside = (number, fence), []
        elif fence and not fence[3].strip() and fence[2] == opened[1][2]:
            body = textwrap.dedent("\n".join(inside))
            yield Block(page, opened[0], opened[1][3].strip(), body)
            opened = None
        else:
            inside.append(line)
    assert opened is None, f"{page}:{opened[0]}: a block is not closed"


BLOCKS = [
    block
    for path in PAGES
    for block in blocks_of(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
]


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]
