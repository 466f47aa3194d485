"""Masked attributes: some atoms are hidden from the encoder, which is to say what they are.

Source: Hu et al., "Strategies for pre-training graph neural networks", ICLR 2020, section 3.1.2.
What is hidden are all features of an atom; its bonds stay. Which atoms are hidden is a function of
seed, step, record and atom. At least one atom of every molecule is, and every molecule counts
alike, so that the loss of a batch is the mean over its molecules, however it is cut into parts.

Shapes: N atoms, A features of an atom, B molecules, D width, C codes of a feature.
"""

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, field_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from assay.captioning.encoder import GraphEncoder, atom_rows
from assay.captioning.graphs import ATOM_FEATURES, GraphBatch
from assay.config import Settings, choose
from assay.task import Loss
from assay.training.draws import Draws

_COLUMN = {feature.name: column for column, feature in enumerate(ATOM_FEATURES)}


class MaskingSettings(Settings):
    """Of the objective."""

    weight: PositiveFloat = 1.0
    """Beside whatever else is learnt."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Of atoms that are hidden."""
    features: tuple[str, ...] = ("element", "hydrogens", "charge", "chirality")
    """What is to be told of them."""

    @field_validator("features")
    @classmethod
    def _known_and_each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            choose("feature of atoms", name, _COLUMN)
        if not names or len(set(names)) < len(names):
            raise ValueError("features: name at least one, each once")
        return names


class MaskedAttributes(nn.Module):
    """What stands for a hidden atom, and a linear reading of each feature."""

    def __init__(self, width: int, settings: MaskingSettings) -> None:
        """Read the atoms of encoders of so many columns."""
        super().__init__()
        self.settings, D = settings, width
        self.hidden = nn.Parameter(torch.zeros(D))
        self.heads = nn.ModuleDict(
            {name: nn.Linear(D, ATOM_FEATURES[_COLUMN[name]].size) for name in settings.features}
        )

    def forward(
        self, encoder: GraphEncoder, graphs: GraphBatch, record_ids: Tensor, seed: int, step: int
    ) -> Loss:
        """Return the sum over features of the cross-entropy, with the parts by feature.

        Args:
            encoder: What learns to tell.
            graphs: B molecules.
            record_ids: (B,) int64.
            seed: Of the run.
            step: Of training.
        """
        hidden_N = masked_atoms(graphs, record_ids, self.settings.share, seed, step)
        seen_ND = encoder.atoms(graphs.atoms_NA)
        seen_ND = torch.where(hidden_N[:, None], self.hidden, seen_ND)
        x_MD = encoder(graphs, record_ids, seen_ND).atoms_ND[hidden_N]
        codes_MA = graphs.atoms_NA[hidden_N].long()
        weight_M = _equal_molecules(graphs.molecule_N[hidden_N], len(graphs))
        parts = {}
        for name, head in self.heads.items():
            each_M = cross_entropy(head(x_MD), codes_MA[:, _COLUMN[name]], reduction="none")
            parts[name] = (each_M * weight_M).sum()
        return Loss(torch.stack(list(parts.values())).sum(), parts)


def masked_atoms(
    graphs: GraphBatch, record_ids: Tensor, share: float, seed: int, step: int
) -> Tensor:
    """Return bool (N,): which atoms are hidden, `share` of them and at least one a molecule."""
    drawn_N = Draws(seed, step, atom_rows(graphs, record_ids)).uniform("masked atoms")
    least_B = drawn_N.new_ones(len(graphs)).scatter_reduce(0, graphs.molecule_N, drawn_N, "amin")
    return (drawn_N < share) | (drawn_N == least_B[graphs.molecule_N])


def _equal_molecules(molecule_M: Tensor, molecules: int) -> Tensor:
    """Return (M,) weights: 1 / B for each molecule, in equal parts for its hidden atoms."""
    of_B = torch.bincount(molecule_M, minlength=molecules)
    return 1.0 / (of_B[molecule_M] * molecules)
