"""SBML, the files of genome-scale models, through cobra: one graph a subsystem.

Compartments are merged, exchanges and transports fall away, currency metabolites are removed by
their BiGG ids. cobra is installed by `pip install cobra`; since its 0.32 takes pandas back to 2, it
is in no extra of Assay's.

Ebrahim, Lerman, Palsson and Hyduke, "COBRApy", BMC Systems Biology 7, 74 (2013).
"""

import contextlib
import io
import logging
import re
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.errors import DataError, MachineError
from assay.pathways.compounds import Compound
from assay.pathways.currency import BIGG
from assay.pathways.data.checks import check_pathway, size_fault
from assay.pathways.data.faults import Faults
from assay.pathways.data.reactions import Reaction, check_reaction, pathway_of, reaction_class
from assay.pathways.data.safe_xml import checked_xml
from assay.pathways.data.sampling import part_of
from assay.pathways.graphs import Pathway

_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")


def read_sbml(
    path: Path,
    faults: Faults,
    most_nodes: int | None = None,
    seed: int = 0,
    currency: Collection[str] = BIGG,
) -> tuple[list[Pathway], dict[str, Compound]]:
    """Return a graph for each subsystem of a model, or for the whole of one that has none.

    What is known of the compounds comes second, for `assay.pathways.batches.records_of`.

    Args:
        path: The file.
        faults: Told of reactions that do not balance or have one side (exchanges aside), as biomass
            does, and of subsystems of another size; they are left out unless it refuses them.
        most_nodes: Take a connected part of larger graphs; None is a fault of theirs.
        seed: Of those parts.
        currency: Ids, without compartment, of what is no node.

    Raises:
        MachineError: cobra is not installed.
        DataError: the file is missing, no SBML, declares entities, or no graph is left.
    """
    model = _model(path)
    formulas = {name: one.formula for name, one in _compounds(model).items() if one.formula}
    groups: dict[str, list[Reaction]] = {}
    for one in model.reactions:
        if one.boundary:
            continue
        reaction = _reaction(one)
        if set(reaction.substrates) == set(reaction.products):
            continue  # a transport
        try:
            check_reaction(reaction, formulas, str(path))
        except DataError as error:
            faults.add("reactions that do not balance or have one side", str(error))
            continue
        groups.setdefault(_subsystem(one, model), []).append(reaction)
    found = list(_graphs(path, groups, currency, formulas, faults, most_nodes, seed))
    if not found:
        raise DataError(
            f"{path}: no subsystem makes a graph ({faults.counted() or 'it has no reactions'}); "
            "take another model, or ask for parts with `most_nodes`"
        )
    return found, _compounds(model)


def _graphs(
    path: Path,
    groups: Mapping[str, list[Reaction]],
    currency: Collection[str],
    formulas: Mapping[str, str],
    faults: Faults,
    most_nodes: int | None,
    seed: int,
) -> Iterator[Pathway]:
    for name, reactions in groups.items():
        where = f"{path}: {name}"
        pathway = pathway_of(name, reactions, currency, formulas)
        if not pathway.edges:
            faults.add("subsystems without an edge", f"{where}: has no edge; leave it out")
            continue
        check_pathway(pathway, where)
        if most_nodes is not None:
            pathway = part_of(pathway, most_nodes, seed)
        if fault := size_fault(pathway):
            faults.add(
                f"subsystems {fault}",
                f"{where}: has {len(pathway.nodes)} nodes, is {fault}; ask for a part of it with "
                "`most_nodes`, or leave it out",
            )
            continue
        breathes = any(
            "o2" in r.substrates or (r.reversible and "o2" in r.products) for r in reactions
        )
        # Where the currency has other names, so has oxygen: which, the source does not say.
        yield replace(pathway, consumes_oxygen=breathes if "o2" in currency else None)


def _model(path: Path) -> Any:
    try:
        from cobra.io import read_sbml_model  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise MachineError(
            f"{path}: reading SBML needs cobra, which is not installed; run `pip install cobra`"
        ) from error
    content = checked_xml(path, "SBML")
    if b"sbml" not in content[: 1 << 16]:
        raise DataError(f"{path}: is XML, but no SBML; give a model such as BiGG's")
    with _quiet(), tempfile.NamedTemporaryFile(suffix=".xml") as copy:
        # The very bytes that were looked at, so that no other file can take their place.
        copy.write(content)
        copy.flush()
        try:
            return read_sbml_model(copy.name)
        except Exception as error:  # cobra and libsbml raise many kinds
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{path}: is no SBML that cobra reads ({reason})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep cobra's running commentary to itself: what matters of it is found here again."""
    logger = logging.getLogger("cobra")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _subsystem(reaction: Any, model: Any) -> str:
    if reaction.subsystem:
        return str(reaction.subsystem)
    groups = model.get_associated_groups(reaction)
    return str(groups[0].name or groups[0].id) if groups else str(model.id or "the whole model")


def _reaction(reaction: Any) -> Reaction:
    """Return a cobra reaction, without compartments, in the direction that it can run."""
    sign = -1 if reaction.upper_bound <= 0 and reaction.lower_bound < 0 else 1
    sides: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for metabolite, amount in reaction.metabolites.items():
        side = sides[0] if sign * amount < 0 else sides[1]
        name = _own_id(metabolite)
        side[name] = side.get(name, 0) + abs(float(amount))
    numbers = reaction.annotation.get("ec-code", "")
    return Reaction(
        reaction.id,
        sides[0],
        sides[1],
        reaction.lower_bound < 0 < reaction.upper_bound,
        reaction_class("|".join([numbers] if isinstance(numbers, str) else numbers)),
    )


def _own_id(metabolite: Any) -> str:
    return metabolite.id.removesuffix(f"_{metabolite.compartment}")


def _compounds(model: Any) -> dict[str, Compound]:
    """Return the compounds; a formula that is none, as of a polymer, is not known."""
    return {
        _own_id(one): Compound(
            formula=one.formula if _FORMULA.fullmatch(one.formula or "") else None,
            charge=None if one.charge is None else float(one.charge),
        )
        for one in model.metabolites
    }
