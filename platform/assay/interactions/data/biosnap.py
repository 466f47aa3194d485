"""BIOSNAP's ChCh-Miner: 1,514 drugs and 48,514 interactions, with a random split of its edges.

Zitnik, Sosič, Maheshwari and Leskovec, "BioSNAP Datasets: Stanford biomedical network dataset
collection", 2018. It has the same origin as ogbl-ddi, DrugBank, and is no independent test of a
model that was trained there. A random split is easier than ogbl-ddi's by proteins.

Shapes: V nodes, E edges, N fixed negatives.
"""

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.interactions.data.links import HELD_OUT, check_links
from assay.interactions.data.ogbl_ddi_files import rows_of
from assay.store.fetch import fetch
from assay.store.locations import cache_root
from assay.store.sets import Built, DataSet, Watch, is_url

UPSTREAM = (
    "http://snap.stanford.edu/biodata/datasets/10001/files/ChCh-Miner_durgbank-chem-chem.tsv.gz"
)
"""Pairs alone. Nobody publishes its checksum: what is pinned is which pairs it must hold."""
PAIRS_SHA256 = "ed253f5d52d3af20ca307316e8ddae3040b293fda34fe689709ea2ce651ee964"
"""Of `a b` of every pair a < b of DrugBank ids, ascending, a line each."""
EDGES, TABLE = "edges.csv.gz", "nodes.csv.gz"
NEGATIVES = 50_000
"""Of validation, and as many of test."""


class Biosnap(DataSet):
    """The graph; an edge's split is by the hash of its pair, eight tenths for training."""

    name = "biosnap"
    title = "BIOSNAP ChCh-Miner: drugs that interact, split at random"
    licence = "DrugBank's, CC-BY-NC-4.0"
    citation = "Zitnik et al., BioSNAP Datasets, 2018, snap.stanford.edu/biodata"
    kind = "graph"
    version = 1
    upstream = UPSTREAM
    folder = "biosnap_chch_ddi"

    def build(self, source: str, watch: Watch) -> Built:
        """Read, check and pack the graph of `source`.

        Args:
            source: A folder with edges.csv.gz and nodes.csv.gz; or BIOSNAP's own file, or a URL of
                it, which knows no structures.
            watch: Told the phase and the fraction of it.

        Raises:
            DataError: the source is missing, unreadable or corrupt, or another graph.
        """
        watch("read", 0.0)
        path = _fetched(source, watch) if is_url(source) else Path(source)
        pairs, smiles = _folder(path) if path.is_dir() else (_lines(path), {})
        watch("check", 0.0)
        pairs = sorted({(min(pair), max(pair)) for pair in pairs})
        _require_published(pairs, path)
        drugs = sorted({drug for pair in pairs for drug in pair})
        arrays = _arrays(pairs, drugs, [smiles.get(drug, "") for drug in drugs])
        check_links(arrays, self.name)
        parts = " / ".join(f"{count:,}" for count in np.bincount(arrays["split"], minlength=3))
        known = sum(bool(smiles.get(drug)) for drug in drugs)
        return Built(
            arrays,
            f"BIOSNAP ChCh-Miner: {len(drugs):,} drugs, {known:,} with a structure; random split "
            f"{parts} edges (train / validation / test); {NEGATIVES:,} fixed negatives each",
        )


BIOSNAP = Biosnap()


def _require_published(pairs: Sequence[tuple[str, str]], path: Path) -> None:
    text = "\n".join(f"{a} {b}" for a, b in pairs)
    if hashlib.sha256(text.encode()).hexdigest() != PAIRS_SHA256:
        raise DataError(
            f"{path}: its {len(pairs):,} pairs of drugs are not those of ChCh-Miner; delete it "
            "and get it anew"
        )


def _folder(path: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    pairs = [(row["drug_a"], row["drug_b"]) for row in rows_of(path / EDGES, ("drug_a", "drug_b"))]
    table = rows_of(path / TABLE, ("drugbank_id", "smiles"))
    return pairs, {row["drugbank_id"]: row["smiles"] for row in table}


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(
            f"{path}: is neither a folder with {EDGES} and {TABLE} nor a gzipped table ({error})"
        ) from error
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        parts = line.split()
        if len(parts) != 2:
            raise DataError(f"{path}, line {number}: expected two drugs, found {line[:40]!r}")
        pairs.append((parts[0], parts[1]))
    return pairs


def _arrays(
    pairs: Sequence[tuple[str, str]], drugs: Sequence[str], smiles: Sequence[str]
) -> dict[str, NDArray]:
    number = {drug: place for place, drug in enumerate(drugs)}
    edges = np.array([(number[a], number[b]) for a, b in pairs], np.int32)
    digits_E = np.array(
        [int(hashlib.sha256(f"{a} {b}".encode()).hexdigest()[:8], 16) % 10 for a, b in pairs]
    )
    split = np.maximum(0, digits_E - 7).astype(np.uint8)
    order = np.argsort(split, kind="stable")
    arrays = {
        "smiles": np.array(smiles, dtype=np.bytes_),
        "drugs": np.array(drugs, dtype=np.bytes_),
        "edges": edges[order],
        "ids": np.arange(1, len(edges) + 1),
        "split": split[order],
    }
    V = len(drugs)
    u, v = np.triu_indices(V, k=1)
    free = np.flatnonzero(~np.isin(u * V + v, edges[:, 0].astype(np.int64) * V + edges[:, 1]))
    chosen = np.random.default_rng(0).choice(free, 2 * NEGATIVES, replace=False)
    for name, part in zip(HELD_OUT, np.split(chosen, 2), strict=True):
        arrays[f"negatives_{name}"] = np.stack([u[part], v[part]], axis=1).astype(np.int32)
    return arrays


def _fetched(url: str, watch: Watch) -> Path:
    name = f"biosnap-{hashlib.sha256(url.encode()).hexdigest()[:16]}.tsv.gz"
    return fetch(url, None, cache_root() / "downloads" / name, watch)
