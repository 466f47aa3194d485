"""Who runs a network: organisms of the taxa in which MetaCyc expects it, with where they grow.

Lowest and highest temperature of growth are measured (TEMPURA; Sato et al., Microbes and
Environments 35 (2020)), and the class of oxygen is that of most records (Madin et al., Scientific
Data 7, 170 (2020)). A network that takes up O2 is run by no strict anaerobe.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.pathways.data.tables import rows
from assay.pathways.environment import FINE_RANKS, ZERO_CELSIUS

SPECIES, TAXA = "species_environment.csv.gz", "pathway_environment_by_taxon.csv.gz"
ANAEROBIC = "anaerobic"
_SPECIES = (
    "species",
    "tmin_C",
    "tmax_C",
    "oxygen",
    *(rank for rank in FINE_RANKS if rank != "species"),
)


@dataclass(frozen=True)
class Organism:
    """One that runs a network."""

    name: str
    lowest_K: float
    highest_K: float
    anaerobe: bool


def read_species(folder: Path) -> dict[tuple[str, str], list[Organism]]:
    """Return the species whose window and oxygen class are known, by (rank, name) of their taxa.

    Args:
        folder: Of organism_environment.

    Raises:
        DataError: the file is missing, or lacks a column.
    """
    found: dict[tuple[str, str], list[Organism]] = defaultdict(list)
    for row in rows(folder / SPECIES, _SPECIES):
        if row["tmin_C"] and row["tmax_C"] and row["oxygen"]:
            low, high = float(row["tmin_C"]), float(row["tmax_C"])
            if low < high:
                one = Organism(
                    row["species"], low + ZERO_CELSIUS, high + ZERO_CELSIUS,
                    row["oxygen"] == ANAEROBIC,
                )  # fmt: skip
                for rank in FINE_RANKS:
                    if row[rank]:
                        found[rank, row[rank]].append(one)
    return found


def read_taxa(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the taxa of each pathway, as (rank, name), where all are a phylum or finer.

    Args:
        folder: Of metabolic_metacyc_modelseed.

    Raises:
        DataError: the file is missing, or lacks a column.
    """
    return {
        row["id"]: [(rank, name) for rank, _, name in
                    (taxon.strip().partition(":") for taxon in row["taxa"].split(";"))]
        for row in rows(folder / TAXA, ("id", "taxa", "broadest_rank"))
        if row["broadest_rank"] in FINE_RANKS
    }  # fmt: skip


def candidates(
    taxa: Sequence[tuple[str, str]],
    species: Mapping[tuple[str, str], Sequence[Organism]],
    consumes_oxygen: bool,
) -> list[Organism]:
    """Return who may run a network of these taxa, by name."""
    found = {one.name: one for taxon in taxa for one in species.get(taxon, ())}
    return sorted(
        (one for one in found.values() if not (consumes_oxygen and one.anaerobe)),
        key=lambda one: one.name,
    )


def choose(draw: np.random.Generator, among: Sequence[Organism]) -> Organism:
    """Draw one, evenly over the middles of their windows, of which most are about 30 °C.

    A tenth of all picks would be heat-loving otherwise, and next to none cold-loving: a bin of 10 K
    is drawn first, then an organism in it.
    """
    middle = np.array([(one.lowest_K + one.highest_K) / 2 for one in among])
    bins = (middle // 10).astype(int)
    kinds = np.unique(bins)
    members = np.flatnonzero(bins == kinds[draw.integers(len(kinds))])
    return among[members[draw.integers(len(members))]]
