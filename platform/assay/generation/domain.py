"""Molecules or crystals: what the generation family must know of each, and nothing else differs.

Shapes: B systems, N atoms (padded), K types, M samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import rdkit.Chem
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay import catalog
from assay.chemistry import lattices
from assay.chemistry.crystal_formats import write_extxyz
from assay.chemistry.crystals import Crystals
from assay.chemistry.elements import HIGHEST
from assay.chemistry.formats import write_xyz
from assay.chemistry.molecules import Molecules
from assay.chemistry.npz import write_npz
from assay.errors import ConfigError
from assay.generation.catalog import CRYSTAL_PROTOCOLS, MOLECULE_PROTOCOLS, PROPERTIES
from assay.generation.data import crystals as crystal_data
from assay.generation.data import molecules as molecule_data
from assay.generation.data.crystals import CrystalBatch, holding_crystals
from assay.generation.data.molecules import VOCABULARY, MoleculeBatch, holding_molecules
from assay.generation.data.padding import padded_rows, size_histogram
from assay.generation.denoiser import Atoms
from assay.generation.distributions import MOST_REFERENCE, VERSION, Distributions, distributions
from assay.generation.metrics import cdvae
from assay.generation.metrics.protocol import Scoring, ScoringProtocol, sub_sample
from assay.generation.metrics.reference import PreparedReference, kept
from assay.generation.processes.geometry import EUCLIDEAN, PERIODIC, Geometry
from assay.generation.space import CrystalSpace, FreeSpace, Space
from assay.store.packed import PackedSet
from assay.store.sets import Prepared
from assay.task import Batch, Estimate, Splits
from assay.training.draws import Draws

Samples = TypeVar("Samples", Molecules, Crystals)
_LEAST_SPREAD = 1e-3
"""Of a number of the cell, where all cells of a set agree on it."""


@dataclass(frozen=True)
class Drawn:
    """Systems that a sampler has made, on the CPU."""

    order: NDArray[np.int64]
    """(B,) place of each among all samples."""
    atoms: Atoms

    def rows(self, n_atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (B, N) which rows are atoms."""
        return np.arange(self.atoms.mask_BN.shape[1])[None, :] < n_atoms[self.order][:, None]


class Domain(ABC, Generic[Samples]):
    """One of the two, on a prepared data set."""

    geometry: Geometry
    reference: PreparedReference[Samples]
    own: tuple[int, ...]
    """Atomic numbers that the data set can hold, ascending: of the types in its batches."""
    vocabulary: tuple[int, ...]
    """Atomic numbers of the types that networks see: its own, or those of two data sets."""

    def __init__(self, prepared: Prepared, vocabulary: tuple[int, ...]) -> None:
        self.prepared = prepared
        self.own = self.vocabulary = vocabulary

    def widen(self, vocabulary: tuple[int, ...]) -> None:
        """Share types with another data set: `vocabulary` holds its own elements and more."""
        self.vocabulary = vocabulary

    @property
    def prior_K(self) -> Tensor:
        """Return the types' shares among the atoms of the training split.

        None of its own is quite 0; those of another data set's elements are.
        """
        counts = self.prepared.train_number_counts[list(self.vocabulary)] + 1.0
        counts *= np.isin(self.vocabulary, self.own)
        return torch.as_tensor(counts / counts.sum(), dtype=torch.float32)

    def _types(self, own_BN: Tensor, mask_BN: Tensor) -> Tensor:
        """Return types of the vocabulary for those of its own, padding 0."""
        if self.own == self.vocabulary:
            return own_BN
        places = torch.from_numpy(np.searchsorted(self.vocabulary, self.own))
        return places.to(own_BN.device)[own_BN] * mask_BN

    def draw_sizes(self, count: int, draws: Draws) -> NDArray[np.int64]:
        """Return `count` numbers of atoms from the training split's histogram."""
        sizes, probabilities = size_histogram(self.prepared)
        rows = torch.as_tensor(probabilities, dtype=torch.float32).expand(count, -1)
        return np.asarray(sizes)[draws.categorical("size", rows).numpy()]

    def test_records(self) -> NDArray[np.int64]:
        """Return the records of the test split whose elements its own types have, ascending.

        Of whatever other data set a network learns, these are the same.

        Raises:
            ConfigError: the data set lies in shards.
        """
        packed = whole(self.prepared)
        strange = np.flatnonzero(~np.isin(packed.arrays["numbers"], self.own))
        owners = np.searchsorted(packed.arrays["offsets"], strange, side="right") - 1
        return np.setdiff1d(packed.split_indices("test"), owners)

    def types(self, systems: Samples) -> Tensor:
        """Return the types (B, N), padded with 0, of systems whose elements all have one."""
        rows_BN, mask_BN = padded_rows(systems.offsets[:-1], systems.n_atoms)
        types = np.searchsorted(self.vocabulary, systems.numbers)
        return torch.from_numpy(types[rows_BN] * mask_BN)

    def evaluate(self, samples: Samples, processes: int = 1) -> dict[str, Estimate]:
        """Return the estimates of the protocol that cells are judged by."""
        return self.protocol.evaluate(Scoring(samples, self.reference, processes=processes))

    def data_row(self, count: int) -> dict[str, Estimate]:
        """Return the same of real data, of `count` records where more would not compare."""
        split = self.protocol.data_row
        whole = self.reference.of(split)
        most = len(whole) if split == "test" else count
        return self.evaluate(whole.select(sub_sample(len(whole), most, seed=0)))

    @property
    @abstractmethod
    def space(self) -> Space:
        """Where its atoms are, as networks see it."""

    @property
    @abstractmethod
    def protocol(self) -> ScoringProtocol[Samples]:
        """The protocol that cells are judged by."""

    @property
    @abstractmethod
    def records(self) -> Samples:
        """All records of the data set, in its order.

        Raises:
            ConfigError: its training split lies in shards.
        """

    @abstractmethod
    def splits(self) -> Splits:
        """Return the three splits."""

    @abstractmethod
    def clean(self, batch: Batch, draws: Draws, equivariant: bool) -> Atoms:
        """Return a batch as a network sees it, turned or moved at random if that matters to it."""

    @abstractmethod
    def samples(self, drawn: Sequence[Drawn], n_atoms: NDArray[np.int64]) -> Samples:
        """Return what was drawn, of (M,) `n_atoms`, in its order and in Å."""

    def write(self, path: Path, samples: Samples) -> None:
        """Write samples for others to score: as .npz, else as extended XYZ."""
        if path.suffix == ".npz":
            write_npz(path, samples)
        else:
            self.write_text(path, samples)

    @abstractmethod
    def write_text(self, path: Path, samples: Samples) -> None:
        """Write samples as extended XYZ."""

    def distributions(self, samples: Samples) -> Distributions:
        """Return how properties of samples are distributed, beside those of the test split.

        Raises:
            DataError: what was kept of the test split is damaged.
            MachineError: it cannot be kept.
        """
        test = self.reference.of("test")
        rows = sub_sample(len(test), MOST_REFERENCE, seed=0)
        name = f"described-{VERSION}-rdkit{rdkit.__version__}"
        real = kept(self.reference, name, lambda: self.described(test.select(rows)))
        title = f"{self.prepared.name}, {len(rows):,} records of the test split"
        return distributions(self.described(samples), real, title)

    @abstractmethod
    def described(self, systems: Samples) -> dict[str, NDArray[np.float64]]:
        """Return values (M,) by name; what a system does not have is no finite number."""


class MoleculeDomain(Domain[Molecules]):
    """Molecules, in free space."""

    def __init__(self, prepared: Prepared, unit_angstrom: float) -> None:
        super().__init__(holding_molecules(prepared), VOCABULARY)
        self.unit, self.geometry = unit_angstrom, EUCLIDEAN
        self.reference = PreparedReference(self.prepared, self.prepared.molecules_of)

    @property
    def space(self) -> FreeSpace:
        """Free space."""
        return FreeSpace(len(self.vocabulary))

    @property
    def protocol(self) -> ScoringProtocol[Molecules]:
        """EDM's."""
        return catalog.load(MOLECULE_PROTOCOLS["edm"])()

    @property
    def records(self) -> Molecules:
        """The packed molecules."""
        return whole(self.prepared).molecules

    def write_text(self, path: Path, samples: Molecules) -> None:
        """Write molecules."""
        write_xyz(path, samples)

    def splits(self) -> Splits:
        """Return the molecules' splits."""
        return molecule_data.splits(self.prepared)

    def clean(self, batch: Batch, draws: Draws, equivariant: bool) -> Atoms:
        """Return the molecules in the model's unit, rotated at random."""
        assert isinstance(batch, MoleculeBatch)
        positions_BN3 = batch.positions_BN3 / self.unit
        if not equivariant:
            positions_BN3 = positions_BN3 @ draws.rotation("rotation")
        return Atoms(positions_BN3, self._types(batch.types_BN, batch.mask_BN), batch.mask_BN)

    def samples(self, drawn: Sequence[Drawn], n_atoms: NDArray[np.int64]) -> Molecules:
        """Return the molecules."""
        rows = [each.rows(n_atoms) for each in drawn]
        positions = [
            each.atoms.positions_BN3.numpy()[row] * self.unit
            for each, row in zip(drawn, rows, strict=True)
        ]
        order = np.concatenate([each.order for each in drawn])
        packed = Molecules(
            np.concatenate(positions).astype(np.float32),
            _numbers(drawn, rows, self.vocabulary),
            n_atoms[order].astype(np.int64),
        )
        return packed.select(np.argsort(order))

    def described(self, systems: Molecules) -> dict[str, NDArray[np.float64]]:
        """Return numbers of atoms, weights in g/mol, and logP of the valid ones."""
        table = rdkit.Chem.GetPeriodicTable()
        weights = np.array([table.GetAtomicWeight(number) for number in range(HIGHEST + 1)])
        owner = np.repeat(np.arange(len(systems)), systems.n_atoms)
        weight = np.bincount(owner, weights[systems.numbers], minlength=len(systems))
        logp = catalog.load(PROPERTIES["logp"])(self)
        return {
            "atoms": systems.n_atoms.astype(np.float64),
            "weight": weight.astype(np.float64),
            "logp": logp.of(systems)[:, 0],
        }


class CrystalDomain(Domain[Crystals]):
    """Crystals, each in its cell."""

    prepared: Any

    def __init__(self, prepared: Prepared, unit_angstrom: float) -> None:
        packed = holding_crystals(prepared)
        super().__init__(packed, crystal_data.vocabulary(packed))
        self.unit, self.geometry = unit_angstrom, PERIODIC
        train = packed.crystals_of("train")
        volumeless = CrystalSpace(len(self.own), [0.0] * 6, [1.0] * 6, unit_angstrom)
        k_M6 = volumeless.standardised(
            torch.from_numpy(train.lattices), torch.from_numpy(train.n_atoms)
        ).double()
        self.mean_6 = k_M6.mean(0).tolist()
        self.spread_6 = k_M6.std(0, correction=0).clamp(min=_LEAST_SPREAD).tolist()
        self.reference = PreparedReference(packed, packed.crystals_of)

    @property
    def space(self) -> CrystalSpace:
        """The space of cells with zero mean and unit variance over the training split."""
        return CrystalSpace(len(self.vocabulary), self.mean_6, self.spread_6, self.unit)

    def standardise_as(self, other: "CrystalDomain") -> None:
        """Let one network see the cells of both data sets in the same numbers."""
        self.mean_6, self.spread_6 = other.mean_6, other.spread_6

    @property
    def protocol(self) -> ScoringProtocol[Crystals]:
        """CDVAE's."""
        return catalog.load(CRYSTAL_PROTOCOLS["cdvae"])()

    @property
    def records(self) -> Crystals:
        """The packed crystals."""
        return whole(self.prepared).crystals

    def write_text(self, path: Path, samples: Crystals) -> None:
        """Write crystals, each with its Lattice."""
        write_extxyz(path, samples)

    def splits(self) -> Splits:
        """Return the crystals' splits."""
        return crystal_data.splits(self.prepared)

    def clean(self, batch: Batch, draws: Draws, equivariant: bool) -> Atoms:
        """Return the crystals with standardised cells, moved at random as a whole."""
        assert isinstance(batch, CrystalBatch)
        positions_BN3 = batch.frac_coords_BN3
        if not equivariant:
            shift_B13 = draws.uniform("translation", 1, 3)
            moved_BN3 = lattices.wrapped(positions_BN3 + shift_B13)
            positions_BN3 = moved_BN3 * batch.mask_BN.unsqueeze(-1)
        space = self.space.to(batch.mask_BN.device)
        cell_B6 = space.standardised(batch.lattices_B33, batch.n_atoms_B)
        types_BN = self._types(batch.types_BN, batch.mask_BN)
        return Atoms(positions_BN3, types_BN, batch.mask_BN, cell_B6)

    def samples(self, drawn: Sequence[Drawn], n_atoms: NDArray[np.int64]) -> Crystals:
        """Return the crystals."""
        rows = [each.rows(n_atoms) for each in drawn]
        frac_coords = [
            each.atoms.positions_BN3.numpy()[row] for each, row in zip(drawn, rows, strict=True)
        ]
        cells = [each.atoms.cell_B6 for each in drawn]
        order = np.concatenate([each.order for each in drawn])
        counts = n_atoms[order].astype(np.int64)
        cell_M6 = torch.cat([cell for cell in cells if cell is not None])
        lattices_M33 = self.space.cells(cell_M6, torch.from_numpy(counts))
        packed = Crystals(
            np.concatenate(frac_coords).astype(np.float32),
            _numbers(drawn, rows, self.vocabulary),
            counts,
            lattices_M33.numpy().astype(np.float32),
        )
        return packed.select(np.argsort(order))

    def described(self, systems: Crystals) -> dict[str, NDArray[np.float64]]:
        """Return numbers of atoms a cell, densities in g/cm³, and numbers of elements."""
        with np.errstate(divide="ignore", invalid="ignore"):  # of a cell without a volume
            density = catalog.load(PROPERTIES["density"])(self).of(systems)[:, 0]
        return {
            "atoms": systems.n_atoms.astype(np.float64),
            "density": density,
            "elements": cdvae.element_counts(systems),
        }


DOMAINS: Mapping[str, type[MoleculeDomain] | type[CrystalDomain]] = {
    "molecules": MoleculeDomain,
    "crystals": CrystalDomain,
}
"""By what a data set holds."""


def whole(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one that lies here.

    Raises:
        ConfigError: its training split lies in shards.
    """
    if not isinstance(prepared, PackedSet):
        raise ConfigError(
            f"{prepared.name}: conditions need every record at hand; name the set without @"
        )
    return prepared


def _numbers(
    drawn: Sequence[Drawn], rows: Sequence[NDArray[np.bool_]], vocabulary: tuple[int, ...]
) -> NDArray[np.uint8]:
    numbers = np.asarray(vocabulary, dtype=np.uint8)
    return np.concatenate(
        [numbers[each.atoms.types_BN.numpy()[row]] for each, row in zip(drawn, rows, strict=True)]
    )
