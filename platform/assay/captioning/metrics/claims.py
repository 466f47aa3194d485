"""What a caption claims about its molecule: groups that it has, and groups that it lacks.

Only what is said of the molecule itself counts. A sentence is dropped from where it turns to
something else: a parent ("derives from"), a partner ("the conjugate base of"), a making ("resulting
from the formal condensation of"), a use ("has a role as").
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from assay.captioning.metrics.group_catalog import GROUPS

_SENTENCE = re.compile(r"\.(?:\s+(?=[A-Z])|\s*$)")
"""A full stop that ends a sentence: those of "EC 1.1.1.1" do not."""

_ELSEWHERE = re.compile(
    r"conjugate (?:base|acid)s? of\b"
    r"|\b(?:derived|derives?|derivable|derivatives?) (?:from|of)\b"
    r"|\bfunctionally related to\b"
    r"|\b(?:enantiomer|diastereoisomer|tautomer|epimer|isomer)s? of\b"
    r"|\b(?:obtained|formed|prepared|produced|isolated|arising|resulting|results|derived)\b"
    r"|\bformal \w+ation\b"
    r"|\bha(?:s|ving|ve) (?:a )?(?:role|parent)\b"
    r"|\b(?:role|used|useful|known|acts?) as\b"
    r"|\bused (?:(?:in|for|to|by)\b|\()"
    r"|\b(?:inhibits?|inhibitor|agonist|antagonist|metabolite) (?:of|at)\b",
    re.IGNORECASE,
)
"""Where a sentence turns to something else; the rest of it is dropped."""

_REPLACED = re.compile(
    r"\bin which\b[^.;]*?\b(?:replaced|substituted|esterified|oxidi[sz]ed|reduced|converted|"
    r"methylated|acylated|acetylated|glycosylated|formed|removed|undergone)\b",
    re.IGNORECASE,
)
"""What was there before a replacement, of which nothing is claimed; what comes then is."""

_NEGATION = re.compile(
    r"\b(?:lacks?|lacking|without|devoid of|absence of|free of|not (?:an?|any)|"
    r"does not (?:contain|have|bear|carry|possess|include)|(?-i:[Nn]o))\b",
    re.IGNORECASE,
)
"""NO in capitals is nitric oxide."""

_SCOPE = re.compile(
    r"[,;:]|\bbut\b|\bthat\b|\bwhich\b|\bwith\b|\bis\b|\bhas\b|\bcontain", re.IGNORECASE
)
"""Where what is denied ends."""


@dataclass(frozen=True)
class Claims:
    """Keys of groups that a caption says the molecule has, and lacks."""

    present: frozenset[str]
    absent: frozenset[str]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.present) + len(self.absent)


def claims(caption: str) -> Claims:
    """Return what a caption claims; a group that it both names and denies counts as named."""
    present: set[str] = set()
    absent: set[str] = set()
    for sentence in own_sentences(caption):
        denied = denials(sentence)
        for key, names in _expressions():
            for match in names.finditer(sentence):
                (absent if is_within(match.start(), denied) else present).add(key)
    return Claims(frozenset(present), frozenset(absent - present))


def sentences(caption: str) -> list[str]:
    """Return the sentences of a caption."""
    return [text for text in _SENTENCE.split(caption) if text]


def own_sentences(caption: str) -> list[str]:
    """Return what each sentence of a caption says of the molecule itself."""
    return [_own(sentence) for sentence in sentences(caption)]


def denials(sentence: str) -> Sequence[tuple[int, int]]:
    """Return where a sentence denies: from the word that does to the end of its clause."""
    spans = []
    for match in _NEGATION.finditer(sentence):
        end = _SCOPE.search(sentence, match.end())
        spans.append((match.end(), end.start() if end else len(sentence)))
    return spans


def is_within(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a place in a sentence lies in one of the spans."""
    return any(begin <= place < end for begin, end in spans)


def _own(sentence: str) -> str:
    elsewhere = _ELSEWHERE.search(sentence)
    return _REPLACED.sub(" ", sentence[: elsewhere.start()] if elsewhere else sentence)


@cache
def _expressions() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((group.key, re.compile(group.names, re.IGNORECASE)) for group in GROUPS)
