"""What gives crystals energies: a potential by name, behind ASE's interface.

Energies are in eV an atom. Those of two potentials, or of two versions of one, are never compared.

Shapes: M crystals.
"""

import contextlib
import functools
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from assay.chemistry.crystals import Crystals
from assay.chemistry.extras import needing
from assay.errors import MemoryShortageError
from assay.generation.metrics.parallel import spread
from assay.training.execution import is_out_of_memory

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

MOST_FORCE = 0.05
"""eV/Å: no atom of a relaxed crystal is pulled harder, nor its cell in the same measure."""

MOST_STEPS = 500
"""What is not relaxed by then has the energy that it has then."""

ENERGIES_AT_ONCE, RELAXED_AT_ONCE = 500, 10
"""Crystals of a piece of work for a process."""

_REFUSALS = (ValueError, RuntimeError, ArithmeticError, IndexError, KeyError, NotImplementedError)
"""What a potential raises of a crystal that it knows nothing of."""


@dataclass(frozen=True)
class Relaxed:
    """Crystals with atoms and cells where a potential pulls them."""

    crystals: Crystals
    """As they were, where the potential has no energy."""
    energies_M: NDArray[np.float64]
    """eV an atom; nan where the potential has none."""

    @classmethod
    def joined(cls, parts: list["Relaxed"]) -> Self:
        """Return them one after the other."""
        fields = ("frac_coords", "numbers", "n_atoms", "lattices")
        arrays = (np.concatenate([getattr(p.crystals, f) for p in parts]) for f in fields)
        return cls(Crystals(*arrays), np.concatenate([p.energies_M for p in parts]))


class Evaluator(ABC):
    """A potential. One derives from this class, and is a file and a line in the catalog."""

    name: ClassVar[str]

    @abstractmethod
    def lacks(self) -> str | None:
        """Return what must be installed before it can be used, as one sentence, or None."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Everything that its energies depend on: its weights, and the package's version."""

    @property
    def identity(self) -> str:
        """Its name and version, under which energies are kept and numbers are told."""
        return f"{self.name} {self.version}"

    @abstractmethod
    def calculator(self) -> "BaseCalculator":
        """Return ASE's calculator of energies (eV), forces (eV/Å) and stresses (eV/Å³)."""

    def energies(self, crystals: Crystals) -> NDArray[np.float64]:
        """Return (M,) eV an atom of crystals as they are; nan where the potential has none."""
        loaded(type(self))  # what keeps it from being loaded is no fault of a crystal
        found = np.full(len(crystals), np.nan)
        for k in range(len(crystals)):
            with _refused():
                found[k] = _energy(self._placed(crystals, k))
        return found

    def relaxed(self, crystals: Crystals) -> Relaxed:
        """Return crystals relaxed by FIRE, atoms and cell, to `MOST_FORCE` or for `MOST_STEPS`.

        Raises:
            MachineError: ASE is missing.
        """
        loaded(type(self))
        with needing("crystals"):
            from ase.filters import FrechetCellFilter
            from ase.optimize import FIRE
        parts = [Relaxed(crystals.select([]), np.empty(0))]
        for k in range(len(crystals)):
            part = Relaxed(crystals.select([k]), np.array([np.nan]))
            with _refused():
                atoms = self._placed(crystals, k)
                with_cell: Any = FrechetCellFilter(atoms)
                FIRE(with_cell, logfile=os.devnull).run(MOST_FORCE, MOST_STEPS)
                energy = _energy(atoms)
                if np.isfinite(energy):
                    part = Relaxed(_crystal(atoms), np.array([energy]))
            parts.append(part)
        return Relaxed.joined(parts)

    def _placed(self, crystals: Crystals, k: int) -> "Atoms":
        with needing("crystals"):
            from ase import Atoms
        rows = slice(crystals.offsets[k], crystals.offsets[k + 1])
        return Atoms(
            numbers=crystals.numbers[rows],
            scaled_positions=crystals.frac_coords[rows].astype(np.float64),
            cell=crystals.lattices[k].astype(np.float64),
            pbc=True,
            calculator=loaded(type(self)),
        )


def energies(evaluator: Evaluator, crystals: Crystals, processes: int = 1) -> NDArray[np.float64]:
    """Return (M,) eV an atom; nan where the potential has none. `processes` as in `spread`.

    Raises:
        MemoryShortageError: they do not fit into memory.
    """
    found = spread(_energies, _parts(evaluator, crystals, ENERGIES_AT_ONCE, processes), processes)
    return np.array(found, np.float64)


def relaxed(evaluator: Evaluator, crystals: Crystals, processes: int = 1) -> Relaxed:
    """Return the crystals relaxed; `processes` as in `spread`.

    Raises:
        MemoryShortageError: they do not fit into memory.
    """
    found = spread(_relaxed, _parts(evaluator, crystals, RELAXED_AT_ONCE, processes), processes)
    return Relaxed.joined([Relaxed(crystals.select([]), np.empty(0)), *found])


@functools.cache
def loaded(kind: type[Evaluator]) -> "BaseCalculator":
    """Return the calculator of an evaluator, loaded once in a process."""
    with contextlib.redirect_stdout(io.StringIO()):  # some say there on what they run
        return kind().calculator()


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """Pass over a crystal that a potential knows nothing of, but not over a shortage of memory."""
    try:
        yield
    except _REFUSALS as error:
        if is_out_of_memory(error):
            raise


@contextlib.contextmanager
def _in_memory() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryShortageError(
            f"energies of crystals do not fit into memory: {error}; ask for fewer processes"
        ) from error


@dataclass(frozen=True)
class _Part:
    kind: type[Evaluator]
    crystals: Crystals
    threads: int | None
    """Of this process; None leaves them as they are."""


def _parts(evaluator: Evaluator, crystals: Crystals, size: int, processes: int) -> list[_Part]:
    pieces = [np.arange(k, min(k + size, len(crystals))) for k in range(0, len(crystals), size)]
    spreads = min(processes, len(pieces)) > 1
    threads = max(1, torch.get_num_threads() // processes) if spreads else None
    return [_Part(type(evaluator), crystals.select(piece), threads) for piece in pieces]


def _energies(part: _Part) -> list[float]:
    _use(part.threads)
    with _in_memory():
        return part.kind().energies(part.crystals).tolist()


def _relaxed(part: _Part) -> list[Relaxed]:
    _use(part.threads)
    with _in_memory():
        return [part.kind().relaxed(part.crystals)]


def _use(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)


def _energy(atoms: "Atoms") -> float:
    return float(atoms.get_potential_energy()) / len(atoms)


def _crystal(atoms: "Atoms") -> Crystals:
    frac_N3 = atoms.get_scaled_positions(wrap=True).astype(np.float32) % 1.0
    lattice_133 = np.asarray(atoms.cell.array, np.float32)[None]
    numbers_N = atoms.numbers.astype(np.uint8)
    return Crystals(frac_N3, numbers_N, np.array([len(atoms)]), lattice_133)
