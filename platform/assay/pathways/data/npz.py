"""One graph as an NPZ file: an adjacency, and what may be known of its environment and its names.

    adjacency (N, N)  0 or 1, of any numeric type: row -> column
    env (4,)          pH, temperature in K, O2 as a fraction, redox in mV; NaN is unknown; optional
    meta              a string of JSON: {"id": …, "names": [N names], …}; optional

Nothing is unpickled. Isolated nodes, self-loops and weights are refused: an adjacency says of pairs
of different compounds whether a reaction leads from one to the other.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.pathways.data.checks import check_pathway, check_size
from assay.pathways.data.sampling import part_of
from assay.pathways.graphs import ENVIRONMENT, Pathway, pack

if TYPE_CHECKING:
    from torch_geometric.data import Data

LARGEST = 64 << 20
"""Bytes that one array may unpack to."""
MOST_EDGES = 1_000_000
"""Of a graph that a part is to be taken of: a genome-scale model has a hundredth."""

_DAMAGED = (
    OSError, ValueError, TypeError, EOFError, RuntimeError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def load_npz(path: Path, most_nodes: int | None = None, seed: int = 0) -> "Data":
    """Return the graph of a file as PyG's `Data`, with the fields of `PathwayGraphs.to_pyg`.

    Args:
        path: The file.
        most_nodes: Take a part of a larger graph; None refuses it.
        seed: Of that part.

    Raises:
        DataError: as `read_npz`.
    """
    return pack([read_npz(path, most_nodes, seed)]).to_pyg(0)


def read_npz(path: Path, most_nodes: int | None = None, seed: int = 0) -> Pathway:
    """Return the graph of a file; for the arguments see `load_npz`.

    Raises:
        DataError: the file is damaged or holds pickles, `adjacency` is missing, not square or not
            of 0 and 1, the environment cannot be, `meta` is no JSON or does not fit, or the graph
            has an isolated node, a self-loop, or a size that the family does not take.
    """
    arrays = _arrays(path)
    if "adjacency" not in arrays:
        raise DataError(f"{path}: has no array 'adjacency'; add one of shape (N, N)")
    meta = _meta(arrays.get("meta"), path)
    pathway = pathway_of_adjacency(
        arrays["adjacency"],
        id=str(meta.get("id", path.stem)),
        where=str(path),
        environment=_environment(arrays.get("env"), path),
        names=meta.get("names"),
    )
    if most_nodes is not None:
        pathway = part_of(pathway, most_nodes, seed)
    check_size(pathway, str(path))
    return pathway


def pathway_of_adjacency(
    adjacency_NN: NDArray[Any],
    id: str,
    where: str,
    environment: Sequence[float | None] = (None,) * len(ENVIRONMENT),
    names: Sequence[str] | None = None,
) -> Pathway:
    """Return the graph of a bare adjacency, of whatever size.

    Raises:
        DataError: it is not square, holds anything but 0 and 1, or is no graph as
            `assay.pathways.data.checks.check_pathway` asks for.
    """
    if adjacency_NN.ndim != 2 or adjacency_NN.shape[0] != adjacency_NN.shape[1]:
        raise DataError(
            f"{where}: adjacency has shape {adjacency_NN.shape}; give a square one, (N, N)"
        )
    if adjacency_NN.dtype.kind not in "buif":
        raise DataError(f"{where}: adjacency is of {adjacency_NN.dtype}; give numbers 0 and 1")
    wrong = np.argwhere(~np.isin(adjacency_NN, (0, 1)))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise DataError(
            f"{where}: adjacency holds {adjacency_NN[row, column]} at row {row}, column {column}; "
            "give 0 and 1 alone"
        )
    N, E = len(adjacency_NN), int(np.count_nonzero(adjacency_NN))
    if E > MOST_EDGES:
        raise DataError(f"{where}: adjacency has {E:,} edges; give at most {MOST_EDGES:,}")
    if names is not None and len(names) != N:
        raise DataError(f"{where}: meta names {len(names)} nodes of {N}; name all or none")
    edges = [(int(a), int(b)) for a, b in np.argwhere(adjacency_NN)]
    nodes = list(names) if names is not None else [None] * N
    pathway = Pathway(id=id, nodes=nodes, edges=edges, environment=environment)
    check_pathway(pathway, where)
    return pathway


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    wanted = ("adjacency", "env", "meta")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sizes = {one.filename: one.file_size for one in archive.infolist()}
        held = [name for name in wanted if f"{name}.npy" in sizes]
        large = [name for name in held if sizes[f"{name}.npy"] > LARGEST]
        if large:
            raise DataError(f"{path}: {large[0]} unpacks to more than {LARGEST >> 20} MiB; cut it")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[f"{name}.npy"] for name in held}
    except _DAMAGED as error:
        raise DataError(
            f"{path}: cannot be read as npz (damaged, of another kind, or holding pickles)"
        ) from error


def _environment(env: NDArray[Any] | None, path: Path) -> tuple[float | None, ...]:
    if env is None:
        return (None,) * len(ENVIRONMENT)
    if env.shape != (len(ENVIRONMENT),) or env.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: env is of {env.dtype} {env.shape}; give {len(ENVIRONMENT)} numbers: "
            f"{', '.join(ENVIRONMENT)}"
        )
    return tuple(None if np.isnan(value) else float(value) for value in env)


def _meta(meta: NDArray[Any] | None, path: Path) -> Mapping[str, Any]:
    if meta is None:
        return {}
    if meta.ndim != 0 or meta.dtype.kind not in "US":
        raise DataError(f"{path}: meta is of {meta.dtype} {meta.shape}; give one string of JSON")
    text = meta.item()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: meta is no JSON ({error}); correct it") from error
    names = found.get("names") if isinstance(found, dict) else ()
    sound = names is None or (isinstance(names, list) and all(isinstance(n, str) for n in names))
    if not isinstance(found, dict) or not sound:
        raise DataError(f'{path}: meta must be an object such as {{"names": ["A", "B", "C"]}}')
    return found
