"""Genome-scale metabolic models as plain arrays: what generated pathways are inserted into.

Two sources: the tables of `$ASSAY_DATA/metabolic_models` (stoichiometry and bounds, as published),
and the models that ship with cobra. A test holds the two against each other.

Shapes: M metabolites, R reactions.
"""

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from assay.chemistry.files import read_text
from assay.config import choose
from assay.errors import DataError, MachineError
from assay.store.locations import data_root

FOLDER = "metabolic_models"

BIOMASS = {
    "e_coli_core": "BIOMASS_Ecoli_core_w_GAM",
    "iML1515": "BIOMASS_Ec_iML1515_core_75p37M",
}
"""The reaction whose flux is growth, in 1/h: the tables do not say, cobra's models do."""

SHIPPED = {"e_coli_core": "textbook", "iJO1366": "iJO1366"}
"""What cobra calls the models within its wheel."""

_CARBON = re.compile(r"C(?![a-z])([0-9]*)")


@dataclass(frozen=True)
class Network:
    """A metabolic model: S v = 0, lower ≤ v ≤ upper, in mmol per gram of dry weight and hour."""

    name: str
    metabolites: tuple[str, ...]
    """(M,) ids, such as pyr_c."""
    metabolite_names: tuple[str, ...]
    """(M,)."""
    carbons: NDArray[np.float64]
    """(M,) carbon atoms of a molecule; NaN where no formula is told."""
    reactions: tuple[str, ...]
    """(R,) ids."""
    S: csr_array
    """(M, R) stoichiometric coefficients: negative is consumed."""
    lower: NDArray[np.float64]
    """(R,)."""
    upper: NDArray[np.float64]
    """(R,)."""
    objective: int
    """The reaction whose flux is growth."""


def open_network(name: str) -> Network:
    """Return a model by name: from `$ASSAY_DATA/metabolic_models` if it is there, else from cobra.

    Raises:
        ConfigError: there is no such model; the sentence names the nearest.
        DataError: its tables are damaged.
        MachineError: it is nowhere on this machine.
    """
    choose("metabolic model", name, BIOMASS | SHIPPED)
    root = data_root()
    if root is not None and (root / FOLDER / f"{name}_reactions.csv.gz").exists():
        return read_tables(root / FOLDER, name)
    if name in SHIPPED:
        return from_cobra(name)
    raise MachineError(f"{name}: set ASSAY_DATA to a folder with {FOLDER}/{name}_reactions.csv.gz")


def read_tables(folder: Path, name: str) -> Network:
    """Return a model from `<name>_metabolites.csv.gz` and `<name>_reactions.csv.gz`.

    Raises:
        ConfigError: which reaction of it is growth is not known.
        DataError: a table is missing or damaged; the sentence names the file and the line.
    """
    choose("model with a known growth reaction", name, BIOMASS)
    metabolites = _rows(folder / f"{name}_metabolites.csv.gz", ("id", "name", "formula"))
    path = folder / f"{name}_reactions.csv.gz"
    reactions = _rows(path, ("id", "lb", "ub", "stoich"))
    places = {row["id"]: k for k, row in enumerate(metabolites)}
    entries: list[tuple[int, int, float]] = []
    bounds = np.zeros((len(reactions), 2))
    for k, row in enumerate(reactions):
        try:
            bounds[k] = float(row["lb"]), float(row["ub"])
            terms = {places[m]: float(c) for m, c in json.loads(row["stoich"]).items()}
        except KeyError as error:
            raise DataError(
                f"{path}: line {k + 2}: reaction {row['id']}: {error} is no metabolite of the model"
            ) from error
        except (ValueError, AttributeError) as error:
            raise DataError(
                f"{path}: line {k + 2}: reaction {row['id']}: lb, ub or stoich cannot be read "
                f"({error})"
            ) from error
        entries += [(m, k, coefficient) for m, coefficient in terms.items()]
    names = [row["id"] for row in reactions]
    if BIOMASS[name] not in names:
        raise DataError(f"{path}: has no reaction {BIOMASS[name]}, whose flux is growth")
    return _network(
        name,
        [(row["id"], row["name"], row["formula"]) for row in metabolites],
        names,
        entries,
        bounds,
        names.index(BIOMASS[name]),
    )


def from_cobra(name: str) -> Network:
    """Return a model that ships with cobra; nothing is fetched.

    Raises:
        MachineError: cobra is not installed.
    """
    try:
        from cobra.io import load_model  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise MachineError(
            f"{name}: cobra is not installed; it asks for pandas below 3, so run "
            "`pip install cobra 'pandas<3'` in an environment of its own, or set ASSAY_DATA"
        ) from error
    model = load_model(SHIPPED[choose("model of cobra", name, SHIPPED)])
    places = {metabolite.id: k for k, metabolite in enumerate(model.metabolites)}
    entries = [
        (places[metabolite.id], k, float(coefficient))
        for k, reaction in enumerate(model.reactions)
        for metabolite, coefficient in reaction.metabolites.items()
    ]
    return _network(
        name,
        [(one.id, one.name, one.formula or "") for one in model.metabolites],
        [reaction.id for reaction in model.reactions],
        entries,
        np.array([reaction.bounds for reaction in model.reactions], np.float64),
        [reaction.objective_coefficient != 0 for reaction in model.reactions].index(True),
    )


def carbons_of(formula: str) -> float:
    """Return the carbon atoms of a formula such as C6H11O9P; NaN of an empty one."""
    if not formula:
        return math.nan
    return float(sum(int(number or 1) for number in _CARBON.findall(formula)))


def _network(
    name: str,
    metabolites: list[tuple[str, str, str]],
    reactions: list[str],
    entries: list[tuple[int, int, float]],
    bounds_R2: NDArray[np.float64],
    objective: int,
) -> Network:
    rows, columns, values = zip(*entries, strict=True)
    shape = (len(metabolites), len(reactions))
    return Network(
        name=name,
        metabolites=tuple(identity for identity, _, _ in metabolites),
        metabolite_names=tuple(title for _, title, _ in metabolites),
        carbons=np.array([carbons_of(formula) for _, _, formula in metabolites], np.float64),
        reactions=tuple(reactions),
        S=csr_array(coo_array((values, (rows, columns)), shape=shape)),
        lower=bounds_R2[:, 0],
        upper=bounds_R2[:, 1],
        objective=objective,
    )


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    found = list(csv.DictReader(io.StringIO(read_text(path))))
    lacking = [column for column in columns if not found or column not in found[0]]
    if lacking:
        raise DataError(f"{path}: has no column {lacking[0]!r}, or no row")
    return found
