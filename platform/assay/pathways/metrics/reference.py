"""What generated graphs are held against: a prepared data set with its splits, or a file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from assay.errors import DataError
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.pathways.graphs import PathwayGraphs
from assay.pathways.metrics.atoms import Formulas, formulas_of
from assay.pathways.metrics.files import read_graphs
from assay.store.sets import open_set


@dataclass(frozen=True)
class Reference:
    """Real graphs."""

    name: str
    description: str
    digest: str
    """Of the packed set, or SHA-256 of the file."""
    test: PathwayGraphs
    """What distances are measured from."""
    train: PathwayGraphs
    """What limits are learnt from, and what is not novel."""
    validation: PathwayGraphs | None
    """Whose distances are the data's own row; None of a file, which has no splits."""
    formulas: Formulas
    """Empty where none is known."""

    @property
    def has_splits(self) -> bool:
        """Whether the training graphs are others than those of the test."""
        return self.validation is not None


def open_reference(name: str) -> Reference:
    """Open a prepared data set by name, or read a file of graphs, whose name ends in .jsonl.

    A file has no splits: its graphs are both what limits are learnt from and what distances are
    measured from, and it has no row of its own.

    Raises:
        ConfigError: there is no such data set, or it holds something else.
        DataError: it is not prepared or damaged; or a line of the file is no graph.
    """
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _of_file(Path(name))
    prepared = open_set(name)
    graphs = graphs_of(prepared)
    return Reference(
        name=name,
        description=prepared.description,
        digest=prepared.digest,
        test=graphs.of_split("test"),
        train=graphs.of_split("train"),
        validation=graphs.of_split("validation"),
        formulas=formulas_of(graphs.compounds, compounds_of(prepared)),
    )


def _of_file(path: Path) -> Reference:
    graphs, rejected = read_graphs(path)
    if rejected:
        first = rejected[0]
        raise DataError(f"{path}: line {first.record}: {first.reason}; a reference must be whole")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    description = f"{len(graphs):,} graphs of a file, without splits"
    return Reference(path.name, description, digest, graphs, graphs, None, {})
