"""The commands of a shell block, one after the other, as words."""

import re
import shlex
from collections.abc import Iterator

OPERATORS = frozenset(("&&", "||", ";", "|", "&", "(", ")"))
REDIRECTIONS = frozenset((">", ">>", "<", "<<"))
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield each simple command's words, what stands in `$(…)` too.

    Assignments before a command, redirections and the lines of a here-document are left out.
    """
    for line in _logical_lines(text):
        for inner in SUBSTITUTION.findall(line):
            yield from commands_of(inner)
        lexer = shlex.shlex(
            SUBSTITUTION.sub("SUBSTITUTED", line), posix=True, punctuation_chars=True
        )
        lexer.whitespace_split = True
        yield from _simple(list(lexer))


def _logical_lines(text: str) -> Iterator[str]:
    ends: str | None = None
    for line in text.replace("\\\n", " ").splitlines():
        if ends is not None:
            ends = None if line.strip() == ends else ends
            continue
        found = re.search(r"<<(\w+)", line)
        ends = found[1] if found else None
        yield line


def _simple(tokens: list[str]) -> Iterator[list[str]]:
    words: list[str] = []
    skipped = False
    for token in [*tokens, ";"]:
        if skipped:
            skipped = False
        elif token in REDIRECTIONS:
            skipped = True
        elif token in OPERATORS or set(token) <= set("();|&"):
            if words:
                yield words
            words = []
        elif words or not ASSIGNMENT.fullmatch(token):
            words.append(token)
