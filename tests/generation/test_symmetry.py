"""The error of symmetry: zero where there is symmetry, and a known number where there is none."""

import pytest
import torch

from assay.conformance.targets import SMALL
from assay.generation.catalog import ARCHITECTURES
from assay.generation.denoiser import Atoms, Denoiser, Interface, Prediction
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from assay.generation.symmetry import SymmetryError, symmetry_error
from assay.training.draws import Draws
from tests.generation.crystals import crystal_space, random_crystals
from tests.generation.molecules import TYPES, random_atoms


def error_of(network: Denoiser, atoms: Atoms, moves: int = 4) -> SymmetryError:
    ids = torch.arange(len(atoms.mask_BN))
    time_B = torch.linspace(0.1, 0.9, len(ids))
    return symmetry_error(network, atoms, time_B, Draws(0, 0, ids), moves=moves)


class Written(Denoiser):
    """A denoiser that is a formula."""

    def __init__(self, formula, space=None):
        settings = architecture("gnn").Settings(**SMALL["gnn"])
        super().__init__(settings, Interface(space or FreeSpace(TYPES)))
        self.formula = formula

    def forward(self, atoms, time_B, previous, conditions=None):
        positions_BN3, logits_BNK = self.formula(atoms)
        return Prediction(positions_BN3 * atoms.mask_BN.unsqueeze(-1), logits_BNK)


def along_x(atoms: Atoms) -> torch.Tensor:
    """Steps of ±1 along x, whatever the atoms are."""
    steps_BN3 = torch.zeros_like(atoms.positions_BN3)
    steps_BN3[:, ::2, 0], steps_BN3[:, 1::2, 0] = 1.0, -1.0
    return steps_BN3


def which_side(atoms: Atoms) -> torch.Tensor:
    """Type 0 for certain where z > 0, otherwise type 1."""
    above_BN = (atoms.positions_BN3[..., 2] > 0).float()
    return 200 * torch.stack([above_BN, 1 - above_BN], dim=-1)


def test_what_moves_with_the_atoms_has_no_error():
    network = Written(lambda atoms: (-atoms.positions_BN3, torch.zeros(*atoms.types_BN.shape, 5)))

    error = error_of(network, random_atoms((5, 9, 7), pad=2))

    assert error.positions_B.max() < 1e-6
    assert error.types_B.tolist() == [0, 0, 0]


def test_a_fixed_direction_is_off_by_the_mean_chord_and_a_fixed_plane_halves_the_types():
    """A unit vector and its rotation are 4/3 apart in the mean; a point changes sides in half."""
    network = Written(lambda atoms: (along_x(atoms), which_side(atoms)))

    error = error_of(network, random_atoms((4,) * 3000), moves=2)

    assert float(error.positions_B.mean()) == pytest.approx(4 / 3, abs=0.02)
    assert float(error.types_B.mean()) == pytest.approx(1 / 2, abs=0.02)


def test_a_common_drift_is_no_error_since_no_process_uses_it():
    drift = torch.tensor([3.0, -1.0, 2.0])
    network = Written(
        lambda atoms: (drift - atoms.positions_BN3, torch.zeros(*atoms.types_BN.shape, 5))
    )

    assert error_of(network, random_atoms((5, 9))).positions_B.max() < 1e-5


def test_the_place_in_the_cell_is_an_error_of_crystals():
    def at_the_origin(atoms: Atoms) -> tuple[torch.Tensor, torch.Tensor]:
        near_BN1 = (atoms.positions_BN3 * (2 * torch.pi)).cos().prod(-1, keepdim=True)
        return near_BN1 * along_x(atoms), torch.zeros(*atoms.types_BN.shape, 6)

    def nowhere(atoms: Atoms) -> tuple[torch.Tensor, torch.Tensor]:
        return along_x(atoms), torch.zeros(*atoms.types_BN.shape, 6)

    crystals = random_crystals((5, 9, 4))
    assert error_of(Written(at_the_origin, crystal_space()), crystals).positions_B.min() > 0.3
    assert error_of(Written(nowhere, crystal_space()), crystals).positions_B.max() == 0


@pytest.mark.parametrize("crystals", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_are_as_symmetric_as_they_declare(name, crystals):
    torch.manual_seed(0)
    kind = architecture(name)
    space = crystal_space() if crystals else FreeSpace(TYPES)
    network = kind(kind.Settings(**SMALL[name]), Interface(space))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)

    error = error_of(network, random_crystals((5, 9, 4)) if crystals else random_atoms((5, 9, 7)))

    if network.equivariant:
        assert error.positions_B.max() < 1e-4
        assert error.types_B.max() < 1e-4
    else:
        assert error.positions_B.min() > 0.05
        assert error.types_B.min() > 1e-4
