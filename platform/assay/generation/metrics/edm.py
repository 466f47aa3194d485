"""The EDM protocol: stability, validity, uniqueness and novelty of molecules with hydrogens.

Bonds are looked up from distances (`assay.chemistry.bonds`). An atom is stable if its bond orders
sum to an allowed valence, a molecule if all its atoms are; a molecule is valid if RDKit sanitises
it, and then counts as the canonical SMILES of its largest fragment. Source: Hoogeboom et al.,
"Equivariant Diffusion for Molecule Generation in 3D", ICML 2022, section 5.1, and its public code.
docs/protocols.md compares the two and says why each interval is what it is.

Shapes: M molecules, A = ΣN atoms of all of them, P pairs, B bonds.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from assay.chemistry import bonds
from assay.chemistry.molecules import Molecules
from assay.generation.metrics.parallel import spread
from assay.generation.metrics.protocol import Scoring, ScoringProtocol
from assay.result import write_bytes
from assay.statistics.intervals import Interval, clustered_fraction, wilson
from assay.task import Estimate

VERSION = "1"
"""Changes whenever a number could: results of another version are evaluated again."""

_PAIRS_AT_ONCE = 1 << 20
_MOLECULES_AT_ONCE = 500
_MOLECULES_A_PROCESS = 2000  # fewer are done before a further process has started
_BOND_TYPES = (
    Chem.BondType.ZERO,
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
)

Edge = tuple[int, int, Chem.BondType]
"""A bond: two atoms by their place in the molecule, and its kind."""


@dataclass(frozen=True)
class Bonds:
    """Bonds between packed atoms, ordered by `first`, then `second`."""

    first: NDArray[np.int64]
    """(B,) row of the atom that stands first in its molecule."""
    second: NDArray[np.int64]
    """(B,) row of the other."""
    order: NDArray[np.int8]
    """(B,) 1, 2 or 3."""


@dataclass(frozen=True)
class Stability:
    """Which atoms have an allowed valence, and which molecules consist of such atoms only."""

    stable_atoms: NDArray[np.bool_]
    """(A,)."""
    stable_molecules: NDArray[np.bool_]
    """(M,)."""


def bond_orders(molecules: Molecules, pairs_at_once: int = _PAIRS_AT_ONCE) -> Bonds:
    """Look up the bonds of all molecules.

    Args:
        molecules: to look at.
        pairs_at_once: bounds the memory; the result does not depend on it.
    """
    found = []
    for first, second in _pairs(molecules, pairs_at_once):
        with np.errstate(over="ignore", invalid="ignore"):  # a model may well sample infinity
            square_P3 = (molecules.positions[first] - molecules.positions[second]) ** 2
            distance = np.sqrt(square_P3[:, 0] + square_P3[:, 1] + square_P3[:, 2])
            order = bonds.bond_orders(molecules.numbers[first], molecules.numbers[second], distance)
        bonded = order > 0
        found.append((first[bonded], second[bonded], order[bonded]))
    if not found:
        nothing = np.zeros(0, dtype=np.int64)
        return Bonds(nothing, nothing, nothing.astype(np.int8))
    return Bonds(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def stability(molecules: Molecules, pairs_at_once: int = _PAIRS_AT_ONCE) -> Stability:
    """Say which atoms and which molecules are stable; a molecule without atoms is not."""
    found = bond_orders(molecules, pairs_at_once)
    A, M = len(molecules.numbers), len(molecules)
    ends = np.concatenate([found.first, found.second])
    valence = np.bincount(ends, weights=np.tile(found.order, 2), minlength=A).astype(np.int64)
    stable = bonds.ALLOWED_VALENCES[molecules.numbers, valence.clip(max=bonds.MAX_VALENCE)]
    owner = np.repeat(np.arange(M), molecules.n_atoms)
    unstable_atoms = np.bincount(owner[~stable], minlength=M)
    return Stability(stable, (unstable_atoms == 0) & (molecules.n_atoms > 0))


def smiles(molecules: Molecules, processes: int = 2) -> list[str | None]:
    """Return each molecule's SMILES, or None where it is not valid.

    The molecule is built from the looked-up bonds, its hydrogens as atoms, without charges;
    RDKit must sanitise it; the canonical SMILES is of its largest fragment (the first of equals).
    A molecule with a coordinate that is not finite, or without atoms, is not valid.

    Args:
        molecules: to convert.
        processes: 1 works in this process; more are spawned, so a script that asks for them must
            guard its main part by `if __name__ == "__main__"`, and a daemonic process cannot.
    """
    cuts = range(_MOLECULES_AT_ONCE, len(molecules), _MOLECULES_AT_ONCE)
    parts = [molecules.select(rows) for rows in np.split(np.arange(len(molecules)), cuts)]
    return spread(_smiles, parts, min(processes, len(molecules) // _MOLECULES_A_PROCESS))


def graphs(molecules: Molecules) -> Iterator[tuple[list[int], Iterable[Edge]] | None]:
    """Yield each molecule's atomic numbers and looked-up bonds.

    None stands for one without atoms, or with a coordinate that is not finite.
    """
    found = bond_orders(molecules)
    offsets = molecules.offsets
    cuts = np.searchsorted(found.first, offsets)
    starts = np.repeat(offsets[:-1], np.diff(cuts))
    first, second = (found.first - starts).tolist(), (found.second - starts).tolist()
    types = [_BOND_TYPES[order] for order in found.order.tolist()]
    numbers = molecules.numbers.tolist()
    finite = np.all(np.isfinite(molecules.positions), axis=1)
    for k, (atom, bond) in enumerate(zip(offsets[:-1], cuts[:-1], strict=True)):
        atoms, its = slice(atom, offsets[k + 1]), slice(bond, cuts[k + 1])
        usable = atom < offsets[k + 1] and finite[atoms].all()
        edges = zip(first[its], second[its], types[its], strict=True)
        yield (numbers[atoms], edges) if usable else None


def training_smiles(
    molecules: Molecules, cache_file: Path | None, processes: int = 2
) -> frozenset[str]:
    """Return the SMILES of the valid training molecules, by the same look-up from 3D.

    Args:
        molecules: the training split.
        cache_file: where to keep them, one a line; its name must identify data and `VERSION`.
            Several processes may ask at once: one computes, the others wait.
        processes: as in `smiles`.
    """
    if cache_file is None:
        return frozenset(filter(None, smiles(molecules, processes)))
    cache_file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cache_file}.lock"):
        if not cache_file.exists():
            known = sorted(set(filter(None, smiles(molecules, processes))))
            write_bytes(cache_file, "".join(f"{text}\n" for text in known).encode())
    return frozenset(cache_file.read_text(encoding="utf-8").splitlines())


def evaluate(
    molecules: Molecules,
    training_smiles: Container[str] | None,
    processes: int = 2,
    seed: int = 0,
    rejected: int = 0,
) -> dict[str, Estimate]:
    """Score samples; every fraction has its interval and its number of trials.

    `edm/atom_stability` resamples molecules, for the atoms of one molecule stand or fall together.
    The others are Wilson intervals of yes-or-no trials: a sample is stable; is valid; is valid and
    the first with its SMILES; a valid sample is the first with its SMILES (uniqueness); a distinct
    SMILES is not among the training set's (novelty). A bootstrap of uniqueness would be wrong, as
    resampling makes duplicates. First occurrences are not independent, but their count varies no
    more than the binomial says, so the interval errs on the wide side (tested by simulation). It
    is about samples of this size: uniqueness falls as more are drawn.

    Args:
        molecules: the samples, M.
        training_smiles: of `training_smiles`; without it there is no novelty.
        processes: as in `smiles`.
        seed: of the resampling.
        rejected: further samples that could not be read: neither stable nor valid. They, and
            molecules without atoms, are given as many atoms as the others have on average.
    """
    found = stability(molecules)
    valid = [text for text in smiles(molecules, processes) if text is not None]
    distinct = frozenset(valid)
    n = len(molecules) + rejected
    estimates = {
        "edm/atom_stability": _atom_stability(molecules, found, rejected, seed),
        "edm/molecule_stability": _fraction(int(found.stable_molecules.sum()), n),
        "edm/validity": _fraction(len(valid), n),
        "edm/uniqueness": _fraction(len(distinct), len(valid)),
        "edm/valid_unique": _fraction(len(distinct), n),
    }
    if training_smiles is not None:
        new = [text for text in distinct if text not in training_smiles]
        estimates["edm/novelty"] = _fraction(len(new), len(distinct))
    return estimates


class EDM(ScoringProtocol[Molecules]):
    """The protocol as the catalog knows it."""

    name: ClassVar[str] = "edm"
    version: ClassVar[str] = VERSION

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        """Return the estimates of `evaluate`; novelty where there is a reference."""
        from assay.generation.metrics.known import smiles_known_to  # it is made of this module

        known = None
        if scoring.reference is not None:
            known = smiles_known_to(scoring.reference, scoring.processes)
        return evaluate(scoring.samples, known, scoring.processes, scoring.seed, scoring.rejected)


def _pairs(
    molecules: Molecules, pairs_at_once: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield (P,) rows of every pair of atoms within a molecule, first < second, in order."""
    A = len(molecules.numbers)
    rows = np.arange(A)
    partners = np.repeat(molecules.offsets[1:], molecules.n_atoms) - rows - 1
    before = np.concatenate([[0], np.cumsum(partners)])
    begin = 0
    while begin < A:
        reach = np.searchsorted(before, before[begin] + pairs_at_once, side="right") - 1
        end = max(begin + 1, int(reach))
        count = partners[begin:end]
        first = np.repeat(rows[begin:end], count)
        place = np.arange(before[begin], before[end]) - np.repeat(before[begin:end], count)
        yield first, first + 1 + place
        begin = end


def _smiles(molecules: Molecules) -> list[str | None]:
    with rdBase.BlockLogs():
        return [graph and _canonical(*graph) for graph in graphs(molecules)]


def _canonical(numbers: Sequence[int], edges: Iterable[Edge]) -> str | None:
    molecule = Chem.RWMol()
    for number in numbers:
        molecule.AddAtom(Chem.Atom(number))
    for first, second, kind in edges:
        molecule.AddBond(first, second, kind)
    try:
        Chem.SanitizeMol(molecule)
        fragments = Chem.GetMolFrags(molecule, asMols=True)
        largest = max(fragments, key=lambda fragment: fragment.GetNumAtoms())
        Chem.SanitizeMol(largest)
    except ValueError:  # RDKit's refusals all derive from it
        return None
    return Chem.MolToSmiles(largest)


def _atom_stability(molecules: Molecules, found: Stability, rejected: int, seed: int) -> Estimate:
    M = len(molecules)
    owner = np.repeat(np.arange(M), molecules.n_atoms)
    stable = np.bincount(owner[found.stable_atoms], minlength=M)
    successes = np.concatenate([stable, np.zeros(rejected)])
    sizes = np.concatenate([molecules.n_atoms, np.zeros(rejected)])
    known = sizes[sizes > 0]
    sizes[sizes == 0] = known.mean() if len(known) else 1.0
    value = float(successes.sum() / sizes.sum()) if len(sizes) else 0.0
    return _estimate(value, clustered_fraction(successes, sizes, seed=seed), len(sizes))


def _fraction(successes: int, n: int) -> Estimate:
    return _estimate(successes / n if n else 0.0, wilson(successes, n), n)


def _estimate(value: float, interval: Interval, n: int) -> Estimate:
    low, high = interval
    return Estimate(value=value, low=low, high=high, n=n, version=VERSION, better="higher")
