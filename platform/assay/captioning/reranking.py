"""Of several captions of a molecule the one that fits its graph best, by functional groups.

What the captions claim is held against the graph as by the protocol `groups`; the reference is not
looked at. A caption scores the claims that hold less those that do not, so that one gains nothing
by saying little; of equal ones the first is kept, which of beams is the likeliest. An empty caption
is kept only where there is no other.
"""

from collections.abc import Sequence

from assay.captioning.graphs import parse
from assay.captioning.metrics.claims import claims
from assay.captioning.metrics.consistency import groups_of, true_claims


def most_consistent(texts: Sequence[str], smiles: Sequence[str]) -> list[str]:
    """Return (B,) the best of each molecule's candidates; without any to choose from, the texts.

    Args:
        texts: (C,) as many of each molecule, one after another.
        smiles: (B,) of the graphs.
    """
    count = len(texts) // len(smiles)
    assert count * len(smiles) == len(texts), "as many texts of each molecule"
    if count == 1:
        return list(texts)
    return [
        _best(texts[count * place : count * (place + 1)], one) for place, one in enumerate(smiles)
    ]


def _best(texts: Sequence[str], smiles: str) -> str:
    molecule = parse(smiles)
    assert molecule is not None, "data sets hold molecules that parse"
    groups = groups_of(molecule)

    def score(text: str) -> tuple[bool, int]:
        said = claims(text)
        held = true_claims(said, groups)
        return bool(text), held - (len(said) - held)

    return max(texts, key=score)
