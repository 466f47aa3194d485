"""What every cell of the grid must satisfy: architecture × process, one suite for all nine."""

import pytest
import torch
from torch import nn

from assay.conformance import ConformanceError, grid
from assay.conformance.checks import carry_out, claim
from assay.conformance.grid import CHECKS, GridCell
from assay.conformance.targets import SMALL
from assay.generation.architectures.gnn import GNN
from assay.generation.catalog import ARCHITECTURES, PROCESSES
from assay.generation.processes.flow_matching import FlowMatching
from assay.generation.settings import architecture, process

CELLS = [(a, p) for a in ARCHITECTURES for p in PROCESSES]


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def cell(request) -> GridCell:
    network, path = request.param
    return GridCell(architecture(network), process(path), SMALL[network])


@pytest.mark.parametrize("check", CHECKS, ids=claim)
def test_it_holds(cell, check):
    check(cell)


class PlacesCount(GNN):
    """Sees the place of an atom in its row."""

    def forward(self, atoms, time_B, previous, conditions=None):
        found = super().forward(atoms, time_B, previous, conditions)
        places_N = torch.arange(atoms.mask_BN.shape[1]) / 9
        return _with_types(found, found.type_logits_BNK + places_N[None, :, None])


class PaddingCounts(GNN):
    """Divides by the length of a row instead of the number of atoms."""

    def forward(self, atoms, time_B, previous, conditions=None):
        found = super().forward(atoms, time_B, previous, conditions)
        return _with_types(found, found.type_logits_BNK / atoms.mask_BN.shape[1])


class MatesCount(GNN):
    """Normalises over the batch."""

    def forward(self, atoms, time_B, previous, conditions=None):
        found = super().forward(atoms, time_B, previous, conditions)
        return _with_types(found, found.type_logits_BNK - found.type_logits_BNK.mean(0))


class NotWhatItSays(GNN):
    """Has a direction of its own."""

    def forward(self, atoms, time_B, previous, conditions=None):
        found = super().forward(atoms, time_B, previous, conditions)
        along = atoms.positions_BN3[..., :1] * torch.tensor([0.1, 0.0, 0.0])
        return type(found)(found.positions_BN3 + along, found.type_logits_BNK, found.noise_BN3)


class HasAnIdlePart(GNN):
    """Holds a parameter that nothing reaches."""

    def __init__(self, settings, interface):
        super().__init__(settings, interface)
        self.idle = nn.Parameter(torch.ones(3))


class Forgets(GNN):
    """Does not look at its own earlier prediction."""

    def forward(self, atoms, time_B, previous, conditions=None):
        return super().forward(atoms, time_B, None, conditions)


class Explodes(GNN):
    """Says what no sampler can follow."""

    def forward(self, atoms, time_B, previous, conditions=None):
        found = super().forward(atoms, time_B, previous, conditions)
        return type(found)(found.positions_BN3 * torch.inf, found.type_logits_BNK, found.noise_BN3)


def _with_types(found, logits):
    return type(found)(found.positions_BN3, logits, found.noise_BN3)


@pytest.mark.parametrize(
    ("network", "check"),
    [
        (PlacesCount, grid.permuting_atoms_permutes_the_prediction),
        (PaddingCounts, grid.padding_never_leaks),
        (MatesCount, grid.a_molecule_does_not_depend_on_its_batch),
        (NotWhatItSays, grid.symmetry_is_what_the_architecture_declares),
        (HasAnIdlePart, grid.gradient_reaches_every_parameter),
        (Forgets, grid.self_conditioning_is_used),
        (Explodes, grid.the_sampler_is_finite_mean_free_and_reproducible),
    ],
)
def test_what_does_not_hold_is_found(network, check):
    with pytest.raises(ConformanceError):
        check(GridCell(network, FlowMatching, SMALL["gnn"]))


def test_a_fault_that_a_check_did_not_expect_is_a_violation_too():
    def make():
        raise ValueError("a width of 0\nis none")

    (outcome,) = carry_out([("mine", make)], [grid.padding_never_leaks])

    assert outcome.check == "padding never leaks"
    assert outcome.violation == "ValueError: a width of 0 is none"
