"""The one figure by which the models of a suite are ordered at first."""

from collections.abc import Mapping, Sequence

HEADLINES = (
    "edm/molecule_stability", "edm/atom_stability", "cdvae/validity", "ogb/hits_at_20",
    "molt5/bleu4", "sacrebleu/bleu", "reversed_edge/auc",
)  # fmt: skip
"""The first of these in which the models differ; protocols that are not here have their first."""


def headline(figures: Sequence[Mapping[str, float]]) -> str | None:
    """Return the metric that orders models, given what each scores; None if nothing was scored."""
    for metric in HEADLINES:
        if len({each[metric] for each in figures if metric in each}) > 1:
            return metric
    return next((metric for each in figures for metric in each), None)
